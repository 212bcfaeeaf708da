/** What belongs to an image, whole: its manifests, what signs or describes them in every layout, and what signs that. */
import type { Digest } from '@countersign/core/digest'
import type { CountersignError } from '@countersign/core/failure'
import type { Descriptor, ImageIndex, ImageManifest } from '@countersign/core/oci/model'
import type { Repository, StoredManifest } from '../registry/repository.ts'

/** A manifest to be carried. */
export type CarriedManifest = {
  readonly stored: StoredManifest
  readonly manifest: ImageManifest | ImageIndex
  /** The repository that it, its blobs and its children are read from. */
  readonly from: Repository
  /** Blobs that the destination must hold before it. */
  readonly blobs: readonly Descriptor[]
  /** Manifests that the destination must hold before it: those of its children that are carried. */
  readonly children: readonly Digest[]
}

/** How a signature, attestation or SBOM is kept. */
export type CarriedLayout = 'bundle' | 'legacy-sig' | 'legacy-att' | 'legacy-sbom' | 'legacy-referrer' | 'notation' | 'referrer'

/** One manifest that refers to a subject. */
export type CarriedAccessory = {
  readonly manifest: Digest
  readonly subject: Digest
  readonly layout: CarriedLayout
  /** What it claims to be, read from its content. */
  readonly kind: 'signature' | 'attestation' | 'sbom' | 'artifact' | 'unreadable'
  /** Signatures, attestations or files in it. */
  readonly entries: number
}

/** Everything of one image. */
export type Inventory = {
  readonly root: Descriptor
  readonly manifests: ReadonlyMap<Digest, CarriedManifest>
  /** Those of the image and its children first, then those of accessories. */
  readonly accessories: readonly CarriedAccessory[]
  /** What is listed and cannot be read, because it is not there or not what its digest says: it cannot be carried. */
  readonly unreadable: readonly CountersignError[]
}

/** Bounds of one inventory. What goes beyond them is `limit_exceeded`: half a copy is none. */
export const inventoryLimits: {
  readonly manifests: number
  readonly depth: number
  readonly accessoryTags: number
  readonly parallelism: number
} = {
  /** Manifests of all kinds together. */
  manifests: 20_000,
  /** Signatures on signatures: levels below the image and its children; also levels of nested indexes. */
  depth: 4,
  /** Tags of signatures in the repository, of all images. */
  accessoryTags: 200_000,
  parallelism: 16,
}
