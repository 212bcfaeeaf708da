/** What one manifest holds: signatures by the media types of its layers, whatever a descriptor or tag called it. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor, ImageIndex, ImageManifest } from '@countersign/core/oci/model'
import type { StoredManifest } from '../registry/repository.ts'
import { isEntityMediaType, parseEntity, parseStoredManifest } from './entity.ts'
import type { FoundEntity } from './found.ts'
import { failureIn, leavesOpen, type Reading } from './reading.ts'

/** One layer that claims to be a signature or attestation. */
export type LayerContent = Omit<FoundEntity, 'origin'> & { readonly blob: Digest }

/** What one manifest holds. */
export type ManifestContent = {
  readonly digest: Digest
  readonly mediaType: string
  /** Bytes. */
  readonly size: number
  /** Absent when the manifest itself does not parse. */
  readonly manifest?: ImageManifest | ImageIndex
  readonly layers: readonly LayerContent[]
  readonly unreadable: readonly CountersignError[]
}

/** Whether a parsed manifest is looked into. */
export type ManifestFilter = (manifest: ImageManifest) => boolean

/** Reads the signatures in a manifest. IO failures are kept beside what could be read; parse failures become layers that say so. */
export async function readContent(reading: Reading, stored: StoredManifest, isOurs: ManifestFilter): Promise<ManifestContent> {
  const { digest, mediaType } = stored
  const about = { digest, mediaType, size: stored.bytes.length }
  let manifest: ImageManifest | ImageIndex
  try {
    const parsed = parseStoredManifest(stored)
    if (parsed === undefined) return { ...about, layers: [], unreadable: [] }
    manifest = parsed
  } catch (cause) {
    const failure = new CountersignError('manifest_malformed', `manifest ${digest} does not parse: ${failureIn(cause).message}`, { cause })
    return { ...about, layers: [brokenLayer(digest, mediaType, {}, new Uint8Array(), failure)], unreadable: [] }
  }
  if (manifest.kind === 'index' || !isOurs(manifest)) return { ...about, manifest, layers: [], unreadable: [] }
  const listed = manifest.layers.filter((layer) => isEntityMediaType(layer.mediaType))
  const tooMany = reading.countLayers(listed.length)
  if (tooMany !== undefined) return { ...about, manifest, layers: [], unreadable: [tooMany] }
  const layers: LayerContent[] = []
  const unreadable: CountersignError[] = []
  for (const read of await Promise.all(listed.map((layer) => readLayer(reading, layer)))) {
    if (read instanceof CountersignError) unreadable.push(read)
    else layers.push(read)
  }
  return { ...about, manifest, layers, unreadable }
}

async function readLayer(reading: Reading, layer: Descriptor): Promise<LayerContent | CountersignError> {
  const annotations = layer.annotations ?? {}
  let bytes: Uint8Array = new Uint8Array()
  try {
    bytes = await reading.blob(layer)
    const entity = parseEntity(layer.mediaType, bytes, annotations)
    return { blob: layer.digest, mediaType: layer.mediaType, bytes, annotations, parsed: { ok: true, entity } }
  } catch (cause) {
    const failure = failureIn(cause)
    return leavesOpen(failure) ? failure : brokenLayer(layer.digest, layer.mediaType, annotations, bytes, asBundleFailure(failure))
  }
}

/** Inside a bundle, every parser's complaint means the same: this is not what a signer wrote. */
function asBundleFailure(failure: CountersignError): CountersignError {
  const own = [
    'content_altered',
    'bundle_malformed',
    'bundle_version_unsupported',
    'dsse_malformed',
    'dsse_signature_count',
    'limit_exceeded',
  ]
  return own.includes(failure.code) ? failure : new CountersignError('bundle_malformed', failure.message, { cause: failure })
}

function brokenLayer(
  blob: Digest,
  mediaType: string,
  annotations: Readonly<Record<string, string>>,
  bytes: Uint8Array,
  failure: CountersignError,
): LayerContent {
  return { blob, mediaType, bytes, annotations, parsed: { ok: false, failure } }
}
