/** A private key, wherever it is, in the two ways that a signature needs it; and what services say of its signatures. */
import type { SignedContent, SignedEntity } from '@countersign/core/bundle/model'
import type { SignatureAlgorithm } from '@countersign/core/keys/algorithm'
import type { PublicKey } from '@countersign/core/keys/public-key'
import type { TrustedRoot } from '@countersign/core/trust/model'
import type { VerifyPolicy } from '@countersign/core/verify/policy'

/** Signs; never gives out the key. */
export type Signer = {
  readonly publicKey: PublicKey
  /** How `signMessage` signs. */
  readonly messageAlgorithm: SignatureAlgorithm
  /** How `signDigest` signs: the same, except Ed25519, which signs a digest only as Ed25519ph. */
  readonly digestAlgorithm: SignatureAlgorithm
  /** Signs a whole message (DSSE pre-authentication encoding, simple-signing payload). */
  readonly signMessage: (message: Uint8Array) => Promise<Uint8Array>
  /** Signs the message's digest, made with `digestAlgorithm.hash`; lets files of any size be hashed once. */
  readonly signDigest: (digest: Uint8Array) => Promise<Uint8Array>
  /** Absent: the key stands for itself, and nobody else is asked. */
  readonly services?: SignerServices
}

/** What certificate authority, transparency logs and timestamp authorities add to signatures of a key. */
export type SignerServices = {
  /** DER; absent when the key is not certified. */
  readonly certificate?: Uint8Array
  /** Log entries and timestamps of a signature just made. Rejects with `service_*` failures; then there is no signature. */
  readonly record: (content: SignedContent, algorithm: SignatureAlgorithm) => Promise<Pick<SignedEntity, 'logEntries' | 'timestamps'>>
  /** What a finished signature must satisfy before anybody sees it; no content is demanded by it. */
  readonly demands: { readonly policy: VerifyPolicy; readonly trustedRoot: TrustedRoot }
  readonly nowMs: () => number
}
