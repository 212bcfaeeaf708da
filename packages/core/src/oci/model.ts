/** OCI content as values (image-spec 1.1 descriptor.md, manifest.md, image-index.md). */
import type { Digest } from '../digest.ts'

/** Points at content by digest. `artifactType` and `annotations` of a descriptor are hints of a registry, never trusted. */
export type Descriptor = {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly platform?: Platform
}

/** What an image runs on, in the words of Go's `GOOS` and `GOARCH`. */
export type Platform = { readonly os: string; readonly architecture: string; readonly variant?: string }

/** An image manifest, OCI or Docker schema 2. */
export type ImageManifest = {
  readonly kind: 'manifest'
  readonly mediaType: string
  readonly artifactType?: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations: Readonly<Record<string, string>>
}

/** An image index, OCI or Docker manifest list; also the body of a referrers answer. */
export type ImageIndex = {
  readonly kind: 'index'
  readonly mediaType: string
  readonly artifactType?: string
  readonly manifests: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations: Readonly<Record<string, string>>
}
