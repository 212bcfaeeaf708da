/** Whether a registry honours `If-Match` and `If-None-Match` on manifest writes (RFC 9110 §13.1): proven, never assumed. */
import { CountersignError } from '@countersign/core/failure'
import type { ManifestReference, Repository } from '../registry/repository.ts'
import type { Document } from './document.ts'

/** No store has this entity tag: a write that demands it must be refused with 412, also where nothing is stored yet (RFC 9110 §13.1.1). */
const impossibleEtag = '"countersign-no-such-version"'

/** `honoured`; or not, and whether the attempt has stored the tag. */
export type ConditionProof = 'honoured' | 'ignored_tag_written' | 'not_proven'

/**
 * Proves it with two writes that do no harm: a wrong `If-Match` on the writer's own tag, and `If-None-Match: *` on the writer's own manifest,
 * which is stored already. Where the first is not refused, the store ignores conditions, and the own tag is now there, as it must be.
 */
export async function proveConditions(repository: Repository, ownTag: ManifestReference, manifest: Document): Promise<ConditionProof> {
  try {
    const { bytes, mediaType, digest } = manifest
    const wrong = await repository.putManifest(ownTag, bytes, mediaType, { kind: 'if_match', etag: impossibleEtag })
    if (wrong.kind === 'written') return 'ignored_tag_written'
    const again = await repository.putManifest({ digest }, bytes, mediaType, { kind: 'if_none_match' })
    return again.kind === 'precondition_failed' ? 'honoured' : 'not_proven'
  } catch (cause) {
    // A registry may refuse the header as such; whether it can store the tag at all shows in the plain write that follows.
    if (cause instanceof CountersignError && cause.code === 'write_rejected') return 'not_proven'
    throw cause
  }
}
