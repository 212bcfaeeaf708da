/** Trust anchors: Sigstore trusted root v0.1 (sigstore_trustroot.proto). */
import type { HashAlgorithm } from '../digest.ts'
import type { AlgorithmName } from '../keys/algorithm.ts'
import type { PublicKey } from '../keys/public-key.ts'

/** A closed interval of Unix milliseconds; both ends are inside. No end: still valid. */
export type TimeRange = { readonly start: number; readonly end?: number }

/** A log (transparency or certificate transparency) and the key that it signs with. */
export type LogInstance = {
  readonly baseUrl: string
  readonly hashAlgorithm: HashAlgorithm
  readonly publicKey: PublicKey
  readonly algorithm: AlgorithmName
  readonly validFor: TimeRange
  /** Raw key identifier; SHA-256 of the SPKI for Rekor v1 and CT, the C2SP key identifier for Rekor v2. */
  readonly logId: Uint8Array
}

/** A certificate authority for signing or for timestamps: certificates in order, issuing one (or TSA leaf) first, root last. */
export type AuthorityInstance = {
  readonly organization: string
  readonly commonName: string
  readonly uri: string
  /** DER, at least one. */
  readonly certificates: readonly Uint8Array[]
  readonly validFor: TimeRange
}

/** All anchors that a verification may use. An empty list refuses what needs it; it never waives the check. */
export type TrustedRoot = {
  readonly logs: readonly LogInstance[]
  readonly certificateAuthorities: readonly AuthorityInstance[]
  readonly ctLogs: readonly LogInstance[]
  readonly timestampAuthorities: readonly AuthorityInstance[]
}
