/**
 * ECDSA and Ed25519ph over a digest, with noble: neither WebCrypto nor Node can sign or verify a digest that it did not make itself.
 *
 * noble is loaded at the first use: importing the curves takes 50 ms.
 */
import type { EdDSA } from '@noble/curves/abstract/edwards.js'
import type { ECDSA } from '@noble/curves/abstract/weierstrass.js'
import { concatBytes, utf8 } from '../bytes.ts'
import { hashLength } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import type { PublicKey, SignatureAlgorithm } from './model.ts'
import { readEcdsaSignature, type EcKeyType } from './ecdsa-signature.ts'

/** Verifies ECDSA over a digest of `algorithm.hash`; the encoding is the algorithm's. A point off the curve is `false`. */
export async function verifyEcdsaDigest(
  algorithm: SignatureAlgorithm,
  key: PublicKey,
  digest: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const fixed = readEcdsaSignature(algorithm, signature)
  if (fixed === undefined || algorithm.key !== key.type || digest.length !== hashLength[algorithm.hash]) return false
  const curve = await loadCurve(algorithm.key as EcKeyType)
  // High s is an equal signature in every standard; cosign and OpenSSL make it half of the time.
  return curve.verify(fixed, digest, key.raw, { prehash: false, lowS: false })
}

/**
 * Signs a digest with ECDSA; r‖s of fixed width.
 *
 * The nonce is RFC 6979's with `entropy` (32 random bytes or more) mixed in (§3.6): neither a weak source of randomness nor a fault in
 * one of two signatures over the same digest gives the key away.
 */
export async function signEcdsaDigest(type: EcKeyType, scalar: Uint8Array, digest: Uint8Array, entropy: Uint8Array): Promise<Uint8Array> {
  const curve = await loadCurve(type)
  return curve.sign(digest, scalar, { prehash: false, lowS: false, extraEntropy: entropy })
}

/** Verifies Ed25519ph (RFC 8032 §5.1.7, empty context) over a SHA-512 digest; canonical encodings only. */
export async function verifyEd25519phDigest(key: PublicKey, digest: Uint8Array, signature: Uint8Array): Promise<boolean> {
  if (key.type !== 'ed25519' || digest.length !== 64 || signature.length !== 64) return false
  const { verify } = await loadEd25519ph()
  return verify(signature, digest, key.raw, { zip215: false })
}

/** Signs a SHA-512 digest as Ed25519ph with the 32-byte private key; 64 bytes. */
export async function signEd25519phDigest(seed: Uint8Array, digest: Uint8Array): Promise<Uint8Array> {
  if (digest.length !== 64) throw new CountersignError('internal', `Ed25519ph signs a SHA-512 digest, not ${digest.length} bytes`)
  const { sign } = await loadEd25519ph()
  return sign(digest, seed)
}

async function loadCurve(type: EcKeyType): Promise<ECDSA> {
  const { p256, p384, p521 } = await import('@noble/curves/nist.js')
  return { 'ec-p256': p256, 'ec-p384': p384, 'ec-p521': p521 }[type]
}

/** noble's own `ed25519ph` hashes the message itself; this one takes the hash as the message. */
async function loadEd25519ph(): Promise<EdDSA> {
  const [{ ed25519 }, { eddsa }, { sha512 }] = await Promise.all([
    import('@noble/curves/ed25519.js'),
    import('@noble/curves/abstract/edwards.js'),
    import('@noble/hashes/sha2.js'),
  ])
  return eddsa(ed25519.Point, sha512, { adjustScalarBytes: clamp, domain: dom2, prehash: (digest: Uint8Array) => digest, zip215: false })
}

/** RFC 8032 §5.1.5, step 2. */
function clamp(bytes: Uint8Array): Uint8Array {
  const last = bytes.length - 1
  bytes[0] = (bytes[0] as number) & 0b1111_1000
  bytes[last] = ((bytes[last] as number) & 0b0111_1111) | 0b0100_0000
  return bytes
}

/** RFC 8032 §5.1: the prefix that keeps Ed25519ph apart from pure Ed25519; phflag 1, the context given (empty here). */
function dom2(data: Uint8Array, context: Uint8Array): Uint8Array {
  return concatBytes(utf8('SigEd25519 no Ed25519 collisions'), Uint8Array.of(1, context.length), context, data)
}
