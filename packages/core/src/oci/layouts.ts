/** Names that the layouts of signatures have in common: media types, annotation keys, tags. */
import { digestHex, digestAlgorithm, type Digest } from '../digest.ts'
import type { Descriptor, ImageIndex, ImageManifest } from './model.ts'

/** Media types of manifests and of what signatures are stored as. */
export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  simpleSigning: 'application/vnd.dev.cosign.simplesigning.v1+json',
  envelope: 'application/vnd.dsse.envelope.v1+json',
  bundle: 'application/vnd.dev.sigstore.bundle.v0.3+json',
  /** Config media type of a legacy signature that is an OCI 1.1 referrer. */
  legacyReferrer: 'application/vnd.dev.cosign.artifact.sig.v1+json',
} as const

/** Annotation keys of a bundle's manifest, and of an attestation layer (`predicateType`). */
export const annotationKeys = {
  bundleContent: 'dev.sigstore.bundle.content',
  bundlePredicateType: 'dev.sigstore.bundle.predicateType',
  created: 'org.opencontainers.image.created',
  attestationPredicateType: 'predicateType',
} as const

/** Suffixes of cosign's legacy tags. */
export type LegacySuffix = 'sig' | 'att' | 'sbom'

/** Tag of the fallback index (distribution-spec 1.1, "Referrers Tag Schema"): algorithm and hex, the latter cut to 64 characters. */
export function fallbackTag(subject: Digest): string {
  return `${digestAlgorithm(subject)}-${digestHex(subject).slice(0, 64)}`
}

/** cosign's legacy tag, such as `sha256-<hex>.sig`. */
export function legacyTag(subject: Digest, suffix: LegacySuffix): string {
  return `${digestAlgorithm(subject)}-${digestHex(subject)}.${suffix}`
}

/**
 * The descriptor by which a manifest that has a `subject` is listed (distribution-spec 1.1, "Listing Referrers"): its artifact type, or
 * that of its config, and its annotations. cosign writes neither in fallback indexes, so that no other tool finds its signatures there.
 */
export function referrerDescriptor(
  stored: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>,
  manifest: ImageManifest | ImageIndex,
): Descriptor {
  const artifactType = manifest.artifactType ?? (manifest.kind === 'manifest' ? manifest.config.mediaType : undefined)
  return {
    mediaType: stored.mediaType,
    digest: stored.digest,
    size: stored.size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(manifest.annotations).length === 0 ? {} : { annotations: manifest.annotations }),
  }
}
