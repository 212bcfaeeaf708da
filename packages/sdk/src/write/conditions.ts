/** Whether a registry honours `If-Match` and `If-None-Match` on manifest writes (RFC 9110 §13.1): proven, never assumed. */
import { CountersignError } from '@countersign/core/failure'
import type { ManifestReference, Repository, WriteCondition, WriteResult } from '../registry/repository.ts'
import type { Document } from './document.ts'

/** No store has this entity tag: a write that demands it must be refused with 412, also where nothing is stored yet (RFC 9110 §13.1.1). */
const impossibleEtag = '"countersign-no-such-version"'

/**
 * Stores the writer's own manifest, whose blobs are there: under the writer's own tag, or by digest alone where the registry proves with these
 * very requests that it honours conditions. Returns whether it did. May be repeated.
 *
 * The proof is two writes that do no harm: a wrong `If-Match` on the own tag, and `If-None-Match: *` on the own manifest once that is stored.
 * Where the first is not refused, the registry ignores conditions, and manifest and tag are there, as they must be.
 */
export async function claimOwnTag(repository: Repository, tag: string, manifest: Document): Promise<boolean> {
  const { bytes, mediaType, digest } = manifest
  const wrong = await putIf(repository, { tag }, manifest, { kind: 'if_match', etag: impossibleEtag })
  if (wrong?.kind === 'written') return false
  if (wrong?.kind === 'precondition_failed') {
    await repository.putManifest({ digest }, bytes, mediaType)
    const again = await putIf(repository, { digest }, manifest, { kind: 'if_none_match' })
    if (again?.kind === 'precondition_failed') return true
  }
  await repository.putManifest({ tag }, bytes, mediaType)
  return false
}

/** `undefined` when it was rejected: perhaps for the header as such; whether the manifest can be stored at all shows in the plain write that follows. */
async function putIf(
  repository: Repository,
  reference: ManifestReference,
  { bytes, mediaType }: Document,
  condition: WriteCondition,
): Promise<WriteResult | undefined> {
  try {
    return await repository.putManifest(reference, bytes, mediaType, condition)
  } catch (cause) {
    if (cause instanceof CountersignError && cause.code === 'write_rejected') return undefined
    throw cause
  }
}
