/** What `signImage`, `attestImage`, `signBlob` and `attestBlob` take and give. */
import type { Digest } from '@countersign/core/digest'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { Connection } from '../connection.ts'
import type { Signer } from './signer.ts'

/** Which form a signature takes in the registry. */
export type SignatureLayout = 'bundle' | 'legacy' | 'both'

/** What the caller may want to tell a person while it happens. */
export type SignEvent =
  | { readonly kind: 'resolved'; readonly reference: string; readonly digest: Digest }
  | { readonly kind: 'signed'; readonly digest: Digest }
  | { readonly kind: 'written'; readonly layout: 'bundle' | 'legacy'; readonly manifest: Digest }
  | { readonly kind: 'already_signed'; readonly layout: 'bundle' | 'legacy'; readonly manifest: Digest }
  | { readonly kind: 'fallback_index'; readonly tag: string }

/** Common to signing and attesting an image. */
type ImageRequest = {
  readonly image: ImageReference
  /** A promise lets the registry be asked while the key is still being opened. */
  readonly signer: Signer | Promise<Signer>
  readonly layout: SignatureLayout
  /** Every manifest of an index too (`-r`). */
  readonly recursive: boolean
  /** False: sign and return the bytes, write nothing. */
  readonly upload: boolean
  /** Another repository to keep the signatures in (`COSIGN_REPOSITORY`). */
  readonly signatureRepository?: ImageReference
  readonly connection: Connection
  readonly onEvent?: (event: SignEvent) => void
}

/** Signs an image by digest. */
export type SignImageRequest = ImageRequest & {
  readonly annotations: Readonly<Record<string, string>>
  /** Legacy only: `critical.identity.docker-reference` in place of the repository name. */
  readonly containerIdentity?: string
  /** Until when the signature holds, and for which repository it is meant: `registry/repository`, or `true` for that of the image. */
  readonly terms?: { readonly expiresMs?: number; readonly name?: string | true }
}

/** What is attested: a predicate whose bytes are kept, or a whole statement signed verbatim. */
export type StatementSource =
  | { readonly kind: 'predicate'; readonly predicateType: string; readonly predicate: Uint8Array }
  | { readonly kind: 'statement'; readonly statement: Uint8Array }

/** Attests something about an image. */
export type AttestImageRequest = ImageRequest & {
  readonly source: StatementSource
  /** Legacy only: drop earlier attestations of the same type. */
  readonly replace: boolean
}

/** One manifest that was signed, and where each signature is. */
export type SignedSubject = {
  readonly subject: Descriptor
  /** `registry/repo@sha256:…` */
  readonly reference: string
  readonly signatures: readonly WrittenSignature[]
}

/** One signature as stored, read back and verified. */
export type WrittenSignature = {
  readonly layout: 'bundle' | 'legacy'
  /** Digest of the manifest that holds it; absent when nothing was uploaded. */
  readonly manifest?: Digest
  /** True when an equal signature of the same key was there before and nothing was added. */
  readonly alreadyThere: boolean
  /** The bundle, or the legacy payload or envelope, as stored. */
  readonly bytes: Uint8Array
  /** Legacy image signatures: the detached signature. */
  readonly signature?: Uint8Array
}

/** A file to sign or verify: read once, as a stream. */
export type BlobSource = {
  /** For messages: the path, or `-`. */
  readonly name: string
  /** A chunk is valid until the next one is asked for. */
  readonly open: () => AsyncIterable<Uint8Array>
  /** True when it may be opened again and gives the same bytes; a file, not standard input. */
  readonly repeatable?: boolean
  /** Bytes, where known before reading. */
  readonly size?: number
}

/** A signed file. */
export type SignedBlob = {
  /** SHA-256 of the file (the algorithm's own hash where it differs). */
  readonly digest: Digest
  /** Sigstore bundle v0.3, JSON. */
  readonly bundle: Uint8Array
  /** The detached signature: DER for ECDSA, raw for the others. */
  readonly signature: Uint8Array
}
