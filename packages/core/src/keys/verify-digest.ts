/** The verification of a signature over a digest: which algorithm needs what. How a curve or a modulus is computed with comes from the caller. */
import { hashLength, type HashAlgorithm } from '../digest.ts'
import { unreachable } from '../failure.ts'
import type { Awaitable } from '../primitives.ts'
import { verifyEcdsaDigest, verifyEd25519phDigest } from './digest-signature.ts'
import type { PublicKey, SignatureAlgorithm } from './model.ts'
import { isEncodedDigest } from './rsa-signature.ts'

/** What differs from one place of computing to another. */
export type DigestOperations = {
  /** ECDSA over a digest; default noble's. */
  readonly ecdsa?: (...signed: Parameters<typeof verifyEcdsaDigest>) => Awaitable<boolean>
  /** RSAVP1 (RFC 8017 §5.2.2); `undefined` for a signature of another length, or not below the modulus. */
  readonly rsaPublic: (key: PublicKey, signature: Uint8Array) => Uint8Array | undefined
  readonly hash: (algorithm: HashAlgorithm, data: Uint8Array) => Awaitable<Uint8Array>
}

/** Whether a signature over a digest of `algorithm.hash` holds. Everything malformed is `false`, as is pure Ed25519, which signs no digest. */
export function verifyDigestWith(
  { ecdsa = verifyEcdsaDigest, rsaPublic, hash }: DigestOperations,
  algorithm: SignatureAlgorithm,
  key: PublicKey,
  digest: Uint8Array,
  signature: Uint8Array,
): Awaitable<boolean> {
  if (algorithm.key !== key.type || digest.length !== hashLength[algorithm.hash]) return false
  switch (algorithm.scheme) {
    case 'ecdsa':
      return ecdsa(algorithm, key, digest, signature)
    case 'rsa-pkcs1v15':
    case 'rsa-pss': {
      const encoded = rsaPublic(key, signature)
      return encoded !== undefined && isEncodedDigest(algorithm, key, digest, encoded, hash)
    }
    case 'ed25519ph':
      return verifyEd25519phDigest(key, digest, signature)
    case 'ed25519':
      return false
    default:
      return unreachable(algorithm.scheme)
  }
}
