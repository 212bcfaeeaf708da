/** What a verification proved: exactly the checks that ran, and nothing else. */
import type { Digest } from '../digest.ts'
import type { FailureCode } from '../failure.ts'
import type { AlgorithmName } from '../keys/algorithm.ts'
import type { SignedTerms } from './terms.ts'

/** The checks that exist. */
export type CheckName =
  | 'content_type'
  | 'artifact_digest'
  | 'annotations'
  | 'signature'
  | 'public_key'
  | 'key_validity'
  | 'certificate_chain'
  | 'signed_certificate_timestamp'
  | 'identity'
  | 'log_entry'
  | 'inclusion_proof'
  | 'checkpoint'
  | 'signed_entry_timestamp'
  | 'timestamp'
  | 'expiry'
  | 'bound_name'

/** One check that ran and held, in words, e.g. "inclusion at index 7 of 19 in log rekor.example". */
export type Check = { readonly check: CheckName; readonly detail: string }

/** One check that was skipped by a named choice. */
export type Waiver = { readonly check: CheckName; readonly reason: string }

/** A time that is proven, Unix milliseconds. */
export type TrustedTime = {
  readonly source: 'timestamp' | 'log'
  readonly timeMs: number
  /** Subject of the timestamp authority, or base URL of the log. */
  readonly authority: string
}

/** Who signed, proven. */
export type SignerEvidence =
  | { readonly kind: 'key'; readonly label: string; readonly fingerprint: Digest }
  | {
      readonly kind: 'certificate'
      readonly issuer: string
      readonly subject: string
      /** SHA-256 of the leaf certificate. */
      readonly fingerprint: Digest
      /** SHA-256 of its SubjectPublicKeyInfo: what the fingerprint of a key is. */
      readonly keyFingerprint: Digest
      readonly notBeforeMs: number
      readonly notAfterMs: number
      /** Fulcio extensions by the last arc of their OID. */
      readonly extensions: Readonly<Record<string, string>>
      /** Of a certificate by an authority of the verifier's own; `issuer` is then a distinguished name. */
      readonly own?: OwnCertificateEvidence
    }

/** What an authority of the verifier's own was proven to have certified. */
export type OwnCertificateEvidence = {
  /** `id` of every authority demanded that holds. */
  readonly authorities: readonly string[]
  /** Subject alternative names of supported kinds. */
  readonly names: readonly { readonly kind: string; readonly value: string }[]
  readonly commonName?: string
  /** The subject, RFC 4514. */
  readonly distinguishedName: string
}

/** A log entry that was proven. */
export type LogEvidence = {
  readonly baseUrl: string
  /** Over all shards; where only an inclusion proof of a Rekor v1 log was there, the index in its shard. */
  readonly logIndex: number
  readonly proof: readonly ('inclusion_proof' | 'signed_entry_timestamp')[]
  readonly integratedTimeMs?: number
}

/** What a signature was proven to say. */
export type Evidence = {
  /** The digest that the signature binds; absent only when claims were waived. */
  readonly artifact?: Digest
  readonly content:
    | { readonly kind: 'message' }
    | { readonly kind: 'simple-signing'; readonly dockerReference: string; readonly payload: Uint8Array }
    | { readonly kind: 'statement'; readonly predicateType: string; readonly payload: Uint8Array }
  readonly annotations: Readonly<Record<string, string>>
  /** Until when and under which name the signer meant it to hold, where they said so. */
  readonly terms?: SignedTerms
  readonly algorithm: AlgorithmName
  readonly signer: SignerEvidence
  readonly log: readonly LogEvidence[]
  readonly times: readonly TrustedTime[]
  readonly checks: readonly Check[]
  readonly waivers: readonly Waiver[]
}

/** A refusal: the code to act on, the text for people, and the checks that had held before it. */
export type Refusal = {
  readonly ok: false
  readonly code: FailureCode
  readonly detail: string
  readonly expected?: string
  readonly found?: string
  readonly hint?: string
  readonly checks: readonly Check[]
}

/** The result of a verification: evidence, or a refusal. */
export type Verification = { readonly ok: true; readonly evidence: Evidence } | Refusal
