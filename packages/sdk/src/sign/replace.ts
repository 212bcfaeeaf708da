/** `attest --replace`: a new legacy attestation in place of all earlier ones of the same type. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { annotationKeys } from '@countersign/core/oci/layouts'
import type { Discovery } from '../discover/found.ts'
import { layerKey } from '../discover/layer-key.ts'
import { writerTag } from '../discover/writer-tag.ts'
import type { Repository } from '../registry/repository.ts'
import { type LegacyLayer, writeLegacyLayer } from '../write/legacy-writer.ts'
import type { WriteOptions } from '../write/merge.ts'

/**
 * Writes the new attestation first, without the replaced ones, then deletes the writer tags of those, which the next writer would merge
 * again. A crash in between leaves old and new side by side. A registry that deletes no tags keeps them under those tags.
 */
export async function dropReplaced(
  repository: Repository,
  subject: Digest,
  layer: LegacyLayer,
  predicateType: string,
  before: Discovery,
  options: WriteOptions,
): Promise<Digest> {
  const drop = (old: { readonly annotations?: Readonly<Record<string, string>> }): boolean =>
    old.annotations?.[annotationKeys.attestationPredicateType] === predicateType
  const manifest = await writeLegacyLayer(repository, subject, 'att', layer, { ...options, drop })
  for (const found of before.found) {
    const half = { digest: found.origin.blob, annotations: found.annotations }
    if (!drop(found) || found.origin.blob === layer.descriptor.digest) continue
    const tag = writerTag(subject, 'att', layerKey(half))
    try {
      if ((await repository.resolve({ tag })) !== undefined) await repository.deleteManifest({ tag })
    } catch (cause) {
      if (!(cause instanceof CountersignError && cause.code === 'write_rejected')) throw cause
    }
  }
  return manifest
}
