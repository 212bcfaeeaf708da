/** What a layout reader needs of the place that holds the layout (image-spec 1.1, image-layout.md). */
import type { Digest } from '@countersign/core/digest'

/** A blob that is there: its size in bytes, and its content once, unchecked. */
export type LayoutBlob = { readonly size: number; readonly content: () => AsyncIterable<Uint8Array> }

/** A folder or an archive with an image layout in it. */
export type LayoutStore = {
  /** For messages: `oci:DIR` or `oci-archive:FILE`. */
  readonly name: string
  /** The bytes of `index.json`, at most 4 MiB, of a layout whose version is known. */
  readonly index: () => Promise<Uint8Array>
  /** A blob by its name, which proves nothing about its content. */
  readonly blob: (digest: Digest) => Promise<LayoutBlob | undefined>
  /** Every blob of the layout, for the search of referrers that no index lists. */
  readonly blobs: () => AsyncIterable<{ readonly digest: Digest; readonly size: number }>
  /** Changes whenever blobs are added or removed. */
  readonly version: () => Promise<string>
}

/** Bounds of a layout. */
export const layoutLimits: {
  readonly manifest: number
  readonly blobs: number
  readonly scannedBytes: number
  readonly referrers: number
  readonly archiveEntries: number
} = {
  /** Manifests and `index.json`, bytes. */
  manifest: 4 * 1024 * 1024,
  /** Blobs looked at in search of referrers. */
  blobs: 100_000,
  /** Bytes read in search of referrers. */
  scannedBytes: 1024 * 1024 * 1024,
  referrers: 10_000,
  archiveEntries: 200_000,
}
