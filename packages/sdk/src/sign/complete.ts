/** Completes what a writer left half-way: a signature that only its own tag names is merged where everyone looks. */
import type { Digest } from '@countersign/core/digest'
import type { Descriptor } from '@countersign/core/oci/model'
import type { Discovery, FoundEntity } from '../discover/found.ts'
import { isHalfWritten, isLegacyLayout } from '../discover/layouts.ts'
import type { Repository } from '../registry/repository.ts'
import { indexBundle } from '../write/bundle-writer.ts'
import { legacyLayerMediaType, mergeLegacyLayer } from '../write/legacy-writer.ts'
import type { MergeOptions } from '../write/merge.ts'

/** Returns the digest of the manifest that holds the signature, after merging it if only a writer tag named it. */
export async function completeWrite(
  repository: Repository,
  subject: Descriptor,
  found: FoundEntity,
  discovery: Discovery,
  options: MergeOptions | undefined,
): Promise<Digest> {
  const digest = found.origin.manifest
  if (!isHalfWritten(found.origin.layouts)) return digest
  const stored = await repository.manifest({ digest })
  if (stored === undefined) return digest
  if (!isLegacyLayout(found.origin.layouts[0])) {
    await indexBundle(repository, subject.digest, stored, { ...options, known: discovery.manifests })
    return digest
  }
  const layer = { mediaType: found.mediaType, digest: found.origin.blob, size: found.bytes.length, annotations: found.annotations }
  const kind = found.mediaType === legacyLayerMediaType.sig ? 'sig' : 'att'
  return mergeLegacyLayer(repository, subject.digest, kind, { manifest: stored, layer }, options)
}
