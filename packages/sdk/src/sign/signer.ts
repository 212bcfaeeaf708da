/** A private key, wherever it is, in the two ways that a signature needs it. */
import type { SignatureAlgorithm } from '@countersign/core/keys/algorithm'
import type { PublicKey } from '@countersign/core/keys/public-key'

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
}
