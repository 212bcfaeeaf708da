/** Hashes and signatures with OpenSSL through `node:crypto`, for the server: what core's port of primitives wants, and the same at once. */
import { constants, createHash, createPublicKey, hash, type KeyObject, sign, timingSafeEqual, verify } from 'node:crypto'
import { type HashAlgorithm, hashLength } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { SignatureAlgorithm } from '@countersign/core/keys/algorithm'
import { readEcdsaSignature } from '@countersign/core/keys/ecdsa-signature'
import type { PublicKey } from '@countersign/core/keys/public-key'
import type { SyncHash } from '@countersign/core/merkle/tree'
import type { Primitives } from '@countersign/core/primitives'
import { webPrimitives } from '@countersign/core/web-primitives'

/** OpenSSL takes 15 to 40 µs to read a key; `null` remembers that it refuses this one. */
const keyObjects = new WeakMap<PublicKey, KeyObject | null>()

/** WebCrypto does what OpenSSL's synchronous door cannot: signatures over a digest, Ed25519ph. Slow (a millisecond): for the paths that are not hot. */
const web = webPrimitives(globalThis.crypto.subtle)

/** Core's port of primitives: answers at once for hashes and signatures over messages, a promise for signatures over digests. */
export const serverPrimitives: Omit<Primitives, 'hash'> & SyncHash = {
  hash: hashBytes,
  hasher: (algorithm) => {
    const hasher = createHash(algorithm)
    return {
      update: (chunk) => {
        hasher.update(chunk)
      },
      digest: () => plain(hasher.digest()),
    }
  },
  verify: (algorithm, key, message, signature) =>
    algorithm.scheme === 'ed25519ph' ? web.verify(algorithm, key, message, signature) : verifyMessage(algorithm, key, message, signature),
  verifyDigest: web.verifyDigest,
}

/** The hash of `data`: 32, 48 or 64 bytes. */
export function hashBytes(algorithm: HashAlgorithm, data: Uint8Array): Uint8Array {
  return plain(hash(algorithm, data, 'buffer'))
}

/**
 * Whether a signature over a whole message holds. A wrong encoding, a key of another type and a point off the curve are `false`.
 * Ed25519ph is not for this door (OpenSSL has none): `algorithm_unsupported`.
 */
export function verifyMessage(algorithm: SignatureAlgorithm, key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (algorithm.scheme === 'ed25519ph') throw new CountersignError('algorithm_unsupported', 'OpenSSL does not verify Ed25519ph')
  if (algorithm.key !== key.type) return false
  // OpenSSL is lax about BER: the one strict reader of the platform comes first.
  if (algorithm.scheme === 'ecdsa' && readEcdsaSignature(algorithm, signature) === undefined) return false
  const object = publicKeyObject(key)
  if (object === undefined) return false
  const options = optionsOf(algorithm)
  return verify(hashName(algorithm), message, options === undefined ? object : { key: object, ...options }, signature)
}

/**
 * Signs a whole message, on another processor while this one goes on: a signature takes as long as everything else about a small answer (ECDSA P-256,
 * 20 µs), or a hundred times that (RSA). ECDSA gives DER unless the algorithm says P1363. Rejects with `algorithm_unsupported` for Ed25519ph.
 */
export function signMessage(algorithm: SignatureAlgorithm, privateKey: KeyObject, message: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (algorithm.scheme === 'ed25519ph') throw new CountersignError('algorithm_unsupported', 'OpenSSL does not sign Ed25519ph')
    const options = optionsOf(algorithm)
    const key = options === undefined ? privateKey : { key: privateKey, ...options }
    sign(hashName(algorithm), message, key, (failure, signature) => (failure === null ? resolve(plain(signature)) : reject(failure)))
  })
}

/** OpenSSL's form of a public key, read once per value; `undefined` for one that it refuses, such as a point off the curve. */
export function publicKeyObject(key: PublicKey): KeyObject | undefined {
  const known = keyObjects.get(key)
  if (known !== undefined) return known ?? undefined
  let object: KeyObject | null
  try {
    object = createPublicKey({ key: Buffer.from(key.spki), format: 'der', type: 'spki' })
  } catch {
    object = null
  }
  keyObjects.set(key, object)
  return object ?? undefined
}

/** Whether two secrets are equal, in a time that tells nothing but whether their lengths are. */
export function equalSecrets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** The same bytes without Buffer's own ways: its `slice` is a view, its equality and JSON are others. */
export function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}

function hashName(algorithm: SignatureAlgorithm): HashAlgorithm | null {
  return algorithm.scheme === 'ed25519' ? null : algorithm.hash
}

/** Without options ECDSA is in DER and RSA is PKCS#1 v1.5; a bare key takes a fifth less time than one among options. */
function optionsOf(algorithm: SignatureAlgorithm): { dsaEncoding?: 'ieee-p1363'; padding?: number; saltLength?: number } | undefined {
  if (algorithm.scheme === 'rsa-pss') return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: hashLength[algorithm.hash] }
  return algorithm.encoding === 'p1363' ? { dsaEncoding: 'ieee-p1363' } : undefined
}
