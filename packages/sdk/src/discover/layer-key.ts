/** The identity of one legacy layer, so that merging neither loses nor doubles it. */
import { utf8 } from '@countersign/core/bytes'
import { legacyAnnotation } from '@countersign/core/bundle/legacy'
import type { Digest } from '@countersign/core/digest'
import type { Descriptor } from '@countersign/core/oci/model'
import { sha256Digest } from '../registry/verified-stream.ts'

/** SHA-256 of the layer's digest and signature: two keys that sign the same payload share the digest, not the key. */
export function layerKey(layer: Pick<Descriptor, 'digest' | 'annotations'>): Digest {
  return sha256Digest(utf8(`${layer.digest}\n${layer.annotations?.[legacyAnnotation.signature] ?? ''}`))
}
