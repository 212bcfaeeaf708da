/** The manifests that writing makes: bytes, media type and digest together. */
import { utf8 } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import { annotationKeys, mediaTypes } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import { sha256Digest } from '../registry/verified-stream.ts'

/** A manifest ready to be stored. */
export type Document = { readonly bytes: Uint8Array; readonly mediaType: string; readonly digest: Digest }

/** The empty config of image-spec 1.1 ("Guidance for an Empty Descriptor"): the two bytes `{}`. */
export const emptyConfig: Uint8Array = utf8('{}')

const empty = {
  mediaType: mediaTypes.ociEmpty,
  digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  size: 2,
} as const

/** A JSON document with its digest. */
export function document(mediaType: string, value: unknown): Document {
  const bytes = utf8(JSON.stringify(value))
  return { bytes, mediaType, digest: sha256Digest(bytes) }
}

/** What a bundle manifest says beside the bundle itself. */
export type BundleManifestParts = {
  readonly subject: Descriptor
  readonly bundle: Uint8Array
  /** Predicate type of the statement inside, for tools that list without reading. */
  readonly predicateType: string
  /** RFC 3339, seconds. */
  readonly created: string
}

/** The manifest of a bundle that refers to its subject (cosign's, without its stray `config.artifactType`). */
export function bundleManifest(parts: BundleManifestParts): Document {
  const { subject, bundle } = parts
  return document(mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: mediaTypes.bundle,
    config: empty,
    layers: [{ mediaType: mediaTypes.bundle, digest: sha256Digest(bundle), size: bundle.length }],
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    annotations: {
      [annotationKeys.bundleContent]: 'dsse-envelope',
      [annotationKeys.bundlePredicateType]: parts.predicateType,
      [annotationKeys.created]: parts.created,
    },
  })
}

/** A fallback index (distribution-spec 1.1, "Referrers Tag Schema"), its entries ordered by digest. */
export function fallbackIndex(entries: readonly Descriptor[]): Document {
  const manifests = entries.toSorted((a, b) => (a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0))
  return document(mediaTypes.ociIndex, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests })
}

/** The config that cosign writes for a legacy manifest: an image without files whose layers are the signatures. */
export function legacyConfig(layers: readonly Descriptor[]): Uint8Array {
  const created = '0001-01-01T00:00:00Z'
  const rootfs = { type: 'layers', diff_ids: layers.map((layer) => layer.digest) }
  return utf8(JSON.stringify({ architecture: '', created, history: layers.map(() => ({ created })), os: '', rootfs, config: {} }))
}

/**
 * A legacy manifest: one layer for each signature (`.sig`) or attestation (`.att`). A writer's own one says when it was made (RFC 3339), so
 * that `clean` can tell its age.
 */
export function legacyManifest(config: Uint8Array, layers: readonly Descriptor[], created?: string): Document {
  const descriptor = { mediaType: mediaTypes.ociConfig, size: config.length, digest: sha256Digest(config) }
  const annotations = created === undefined ? {} : { annotations: { [annotationKeys.created]: created } }
  return document(mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor,
    layers,
    ...annotations,
  })
}
