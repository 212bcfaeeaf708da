/** Public keys as SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). */
import type { KeyType } from './algorithm.ts'

/** A public key that was parsed and found supported. Equality is equality of `spki`. */
export type PublicKey = {
  readonly type: KeyType
  /** The whole SubjectPublicKeyInfo, DER, exactly as found. */
  readonly spki: Uint8Array
  /** RSA only: length of the modulus in bits. */
  readonly bits?: number
  /** The key's own bytes: the uncompressed EC point, the 32 bytes of Ed25519, or the DER RSAPublicKey. */
  readonly raw: Uint8Array
}
