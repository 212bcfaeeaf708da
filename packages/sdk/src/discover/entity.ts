/** Reads what a repository stores into core's values, by media type. */
import { readLegacyLayer } from '@countersign/core/bundle/legacy'
import { parseBundle } from '@countersign/core/bundle/parse'
import type { SignedEntity } from '@countersign/core/bundle/model'
import type { ImageIndex, ImageManifest } from '@countersign/core/oci/model'
import { mediaTypes } from '@countersign/core/oci/layouts'
import { parseManifest } from '@countersign/core/oci/manifest'
import type { StoredManifest } from '../registry/repository.ts'

const bundleMediaType = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v[0-9.]{1,20})?\+json(?:;version=[0-9.]{1,20})?$/

const manifestMediaTypes: ReadonlySet<string> = new Set([
  mediaTypes.ociManifest,
  mediaTypes.dockerManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifestList,
])

/** True for the media types of layers that hold a signature or attestation. */
export function isEntityMediaType(mediaType: string): boolean {
  return mediaType === mediaTypes.simpleSigning || mediaType === mediaTypes.envelope || bundleMediaType.test(mediaType)
}

/** True for a Sigstore bundle, in both spellings of its media type. */
export function isBundleMediaType(mediaType: string): boolean {
  return bundleMediaType.test(mediaType)
}

/** Parses a layer. Throws the parsers' codes; nothing is verified. */
export function parseEntity(mediaType: string, bytes: Uint8Array, annotations: Readonly<Record<string, string>>): SignedEntity {
  if (isBundleMediaType(mediaType)) return parseBundle(bytes)
  return readLegacyLayer({ kind: mediaType === mediaTypes.envelope ? 'attestation' : 'signature', blob: bytes, annotations })
}

/** Parses a manifest or index; `undefined` when it is neither (another tool's manifest). Throws `manifest_malformed`. */
export function parseStoredManifest(stored: StoredManifest): ImageManifest | ImageIndex | undefined {
  const mediaType = stored.mediaType.split(';', 1)[0]?.trim() ?? ''
  return manifestMediaTypes.has(mediaType) ? parseManifest(stored.bytes, mediaType) : undefined
}
