/** What a signature is made of, whatever file or manifest it came from (Sigstore protobuf-specs, sigstore_bundle.proto). */
import type { Digest } from '../digest.ts'
import type { DsseEnvelope } from '../dsse/envelope.ts'

/** A log entry as a bundle carries it (sigstore_rekor.proto, TransparencyLogEntry). Every field is a claim until verified. */
export type TransparencyLogEntry = {
  /** Index over all shards of the log. */
  readonly logIndex: number
  /** Key identifier of the log, raw bytes (32). */
  readonly logId: Uint8Array
  readonly kind: string
  readonly version: string
  /** Unix seconds; absent or 0 in Rekor v2. Trusted only under a verified signed entry timestamp. */
  readonly integratedTime?: number
  readonly signedEntryTimestamp?: Uint8Array
  readonly inclusionProof?: InclusionProofClaim
  readonly canonicalizedBody: Uint8Array
}

/** An inclusion proof and the checkpoint that it leads to, unverified. */
export type InclusionProofClaim = {
  /** Index inside the shard. */
  readonly logIndex: number
  readonly rootHash: Uint8Array
  readonly treeSize: number
  readonly hashes: readonly Uint8Array[]
  /** The signed note, whole; absent only in bundles that predate v0.2. */
  readonly checkpoint?: string
}

/** Who is said to have signed: a hint at a key, or a certificate with candidates for its chain. Nothing here is a trust anchor. */
export type VerificationMaterial =
  | { readonly kind: 'public-key'; readonly hint?: string }
  | { readonly kind: 'certificate'; readonly chain: readonly [Uint8Array, ...Uint8Array[]] }

/** What was signed, in the three forms that exist. */
export type SignedContent =
  /** A signature over the artifact itself (bundle `messageSignature`, or a detached signature, which claims no digest). */
  | { readonly kind: 'message'; readonly claimedDigest?: Digest; readonly signature: Uint8Array }
  /** A DSSE envelope with exactly one signature, holding an in-toto statement. */
  | {
      readonly kind: 'dsse'
      readonly envelope: DsseEnvelope
      /** Legacy layouts only: the envelope as stored, JSON. There cosign has the whole of it stamped, not the signature. */
      readonly document?: Uint8Array
    }
  /** cosign's legacy payload, a small JSON document that names a manifest digest. */
  | { readonly kind: 'simple-signing'; readonly payload: Uint8Array; readonly signature: Uint8Array }

/** Everything that one signature consists of; the common form of bundles and of the legacy layouts. */
export type SignedEntity = {
  readonly material: VerificationMaterial
  readonly logEntries: readonly TransparencyLogEntry[]
  /** RFC 3161 TimeStampResp, DER, one each. */
  readonly timestamps: readonly Uint8Array[]
  readonly content: SignedContent
}

/** A Sigstore bundle, parsed. */
export type Bundle = SignedEntity & {
  readonly version: '0.1' | '0.2' | '0.3'
  /** As found; two spellings exist for each version. */
  readonly mediaType: string
}
