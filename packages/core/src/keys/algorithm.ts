/**
 * The one table of signature algorithms, and the one place that picks a hash: it comes from the key or from the bundle, never from a default.
 *
 * Names are those of Sigstore's `PublicKeyDetails` (protobuf-specs, sigstore_common.proto).
 */
import type { HashAlgorithm } from '../digest.ts'

/** The kinds of public keys that the platform reads. */
export type KeyType = 'ec-p256' | 'ec-p384' | 'ec-p521' | 'rsa' | 'ed25519'

/** Names of the algorithms, as Sigstore's trusted roots and log entries spell them. */
export type AlgorithmName =
  | 'PKIX_ECDSA_P256_SHA_256'
  | 'PKIX_ECDSA_P384_SHA_384'
  | 'PKIX_ECDSA_P521_SHA_512'
  | 'PKIX_RSA_PKCS1V15_2048_SHA256'
  | 'PKIX_RSA_PKCS1V15_3072_SHA256'
  | 'PKIX_RSA_PKCS1V15_4096_SHA256'
  | 'PKIX_RSA_PSS_2048_SHA256'
  | 'PKIX_RSA_PSS_3072_SHA256'
  | 'PKIX_RSA_PSS_4096_SHA256'
  | 'PKIX_ED25519'
  | 'PKIX_ED25519_PH'

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
