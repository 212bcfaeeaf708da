/**
 * One repository of images, wherever it is kept: a registry, a layout folder or an archive.
 *
 * Every implementation checks digest and size of what it hands out while streaming, and passes `repositoryContract` of the test kit.
 * What does not exist is `undefined`; a failure that leaves the question open throws a `CountersignError` whose outcome is `unknown`.
 */
import type { Digest } from '@countersign/core/digest'
import type { Descriptor } from '@countersign/core/oci/model'

/** Names a manifest inside a repository. */
export type ManifestReference = { readonly tag: string } | { readonly digest: Digest }

/** A manifest as stored: exact bytes, the digest computed from them. */
export type StoredManifest = {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly digest: Digest
  /** Opaque version for a conditional write, where the store gives one. */
  readonly etag?: string
}

/** The answer of the referrers API (distribution-spec 1.1, "Listing Referrers"), all pages merged. */
export type ReferrersAnswer =
  | { readonly kind: 'listed'; readonly manifests: readonly Descriptor[] }
  | {
      readonly kind: 'unsupported'
      /** The server has no such route at all: a bare 404, not an error document of a registry, which could be about this repository alone. */
      readonly noRoute?: true
    }

/** Reads one repository. */
export type RepositoryReader = {
  /** For messages and signed names: `registry/repo`, or `oci:DIR`. */
  readonly name: string
  /** HEAD: digest, size and media type, or `undefined` when there is no such manifest. */
  readonly resolve: (reference: ManifestReference) => Promise<Descriptor | undefined>
  readonly manifest: (reference: ManifestReference) => Promise<StoredManifest | undefined>
  /** Streams a blob, checked against the descriptor's digest and size; throws `content_altered` at the end at the latest. */
  readonly blob: (descriptor: Pick<Descriptor, 'digest' | 'size'>) => AsyncIterable<Uint8Array>
  readonly referrers: (subject: Digest) => Promise<ReferrersAnswer>
  /**
   * Layouts and archives alone: the image that is meant where neither tag nor digest is given, `undefined` when there is none.
   * Throws `usage` when there are several.
   */
  readonly soleImage?: () => Promise<Descriptor | undefined>
  /** Every tag, all pages, in the store's order. */
  readonly tags: () => AsyncIterable<string>
}

/** What a manifest write must find for it to happen. */
export type WriteCondition = { readonly kind: 'if_match'; readonly etag: string } | { readonly kind: 'if_none_match' }

/** What became of a manifest write. */
export type WriteResult =
  | {
      readonly kind: 'written'
      readonly digest: Digest
      /** True when the store keeps the referrers list itself (header `OCI-Subject`); false means the fallback index is ours to write. */
      readonly subjectListed: boolean
    }
  | { readonly kind: 'precondition_failed' }

/** What a writer knows of a blob. */
export type PutBlobOptions = {
  /** The bytes were made just now: a store that must be asked whether it has a blob already need not be. It may be there all the same. */
  readonly isNew?: boolean
}

/** What a carrier is told of a manifest that a layout lists. */
export type ListedManifest = { readonly tag?: string; readonly annotations?: Readonly<Record<string, string>> }

/** Moves what is large, or only listed, into a repository: what copying needs beyond writing. */
export type Carrier = {
  /** Whether the repository holds a blob, whole; of a registry, whether it says so. */
  readonly hasBlob: (descriptor: Pick<Descriptor, 'digest' | 'size'>) => Promise<boolean>
  /** Stores a blob from a stream, which is opened again for each attempt; checked against digest and size on the way. */
  readonly putStream: (descriptor: Pick<Descriptor, 'digest' | 'size'>, open: () => AsyncIterable<Uint8Array>) => Promise<void>
  /** Takes a blob from another repository of the same registry without moving bytes; false where that cannot be done. */
  readonly mount?: (descriptor: Pick<Descriptor, 'digest' | 'size'>, from: string) => Promise<boolean>
  /** Layouts and archives alone: lists a stored manifest in `index.json`, under a tag or without one. */
  readonly list?: (descriptor: Descriptor, as: ListedManifest) => Promise<void>
}

/** Writes to one repository. */
export type RepositoryWriter = {
  /** Absent where blobs can only be written whole. */
  readonly carrier?: Carrier
  /** Uploads a blob unless it is there; returns once the store has confirmed it. */
  readonly putBlob: (bytes: Uint8Array, options?: PutBlobOptions) => Promise<Digest>
  /** Says that a new blob is likely to follow: a store that must be asked where it goes is asked now. If none follows, nothing was written. */
  readonly expectBlob?: () => void
  /** Stores a manifest under a tag or its digest. `condition` is honoured where the store can and ignored where it cannot. */
  readonly putManifest: (
    reference: ManifestReference,
    bytes: Uint8Array,
    mediaType: string,
    condition?: WriteCondition,
  ) => Promise<WriteResult>
  readonly deleteManifest: (reference: ManifestReference) => Promise<void>
}

/** A repository that can be read and written. */
export type Repository = RepositoryReader &
  RepositoryWriter & {
    /** For judging one of many images: the repository as it was listed a moment ago. Absent where everything is asked for anew. */
    readonly remembered?: () => RememberedView
  }

/** A view of a repository, and whether it has answered anything without asking the registry. */
export type RememberedView = { readonly repository: Repository; readonly assumed: () => boolean }
