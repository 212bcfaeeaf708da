/** What a public key and a signature algorithm are; `public-key.ts` reads the one, `algorithm.ts` has the table of the other. */
import type { HashAlgorithm } from '../digest.ts'

/** The kinds of public keys that the platform reads. */
export type KeyType = 'ec-p256' | 'ec-p384' | 'ec-p521' | 'rsa' | 'ed25519'

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

/** Names of the algorithms, as Sigstore's trusted roots and log entries spell them. */
export type SigstoreAlgorithmName =
  | 'PKIX_ECDSA_P256_SHA_256'
  | 'PKIX_ECDSA_P384_SHA_384'
  | 'PKIX_ECDSA_P521_SHA_512'
  | 'PKIX_ECDSA_P384_SHA_256'
  | 'PKIX_ECDSA_P521_SHA_256'
  | 'PKIX_RSA_PKCS1V15_2048_SHA256'
  | 'PKIX_RSA_PKCS1V15_3072_SHA256'
  | 'PKIX_RSA_PKCS1V15_4096_SHA256'
  | 'PKIX_RSA_PSS_2048_SHA256'
  | 'PKIX_RSA_PSS_3072_SHA256'
  | 'PKIX_RSA_PSS_4096_SHA256'
  | 'PKIX_ED25519'
  | 'PKIX_ED25519_PH'

/** Pairs of key and hash that certificates, timestamp tokens and bundles use and Sigstore has no name for; spelled in its manner. */
export type FurtherAlgorithmName =
  | 'PKIX_ECDSA_P256_SHA_384'
  | 'PKIX_ECDSA_P256_SHA_512'
  | 'PKIX_ECDSA_P384_SHA_512'
  | 'PKIX_ECDSA_P521_SHA_384'
  | `PKIX_RSA_${'PKCS1V15' | 'PSS'}_${'2048' | '3072' | '4096'}_${'SHA384' | 'SHA512'}`

/** Name of a row of the table. */
export type AlgorithmName = SigstoreAlgorithmName | FurtherAlgorithmName

/** How a signature is computed. */
export type SignatureScheme = 'ecdsa' | 'rsa-pkcs1v15' | 'rsa-pss' | 'ed25519' | 'ed25519ph'

/** One row of the table. */
export type SignatureAlgorithm = {
  readonly name: AlgorithmName
  readonly key: KeyType
  readonly scheme: SignatureScheme
  /** The hash of the scheme; pure Ed25519 (RFC 8032) hashes internally and names its own SHA-512 here. */
  readonly hash: HashAlgorithm
  /** ECDSA only: ASN.1 DER (X9.62) or fixed-width r‖s (IEEE P1363). Sigstore writes DER. */
  readonly encoding?: 'der' | 'p1363'
}
