/** The identity of one legacy layer, so that merging neither loses nor doubles it. */
import { createHash } from 'node:crypto'
import { legacyAnnotation } from '@countersign/core/bundle/legacy'
import type { Digest } from '@countersign/core/digest'
import type { Descriptor } from '@countersign/core/oci/model'

/** SHA-256 of the layer's digest and signature: two keys that sign the same payload share the digest, not the key. */
export function layerKey(layer: Pick<Descriptor, 'digest' | 'annotations'>): Digest {
  const text = `${layer.digest}\n${layer.annotations?.[legacyAnnotation.signature] ?? ''}`
  return `sha256:${createHash('sha256').update(text).digest('hex')}` as Digest
}
