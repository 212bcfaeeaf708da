/** Hashes and signatures with WebCrypto, in browsers and in Node; what WebCrypto lacks is computed by `keys/*-signature.ts`. */
import { hashLength, type HashAlgorithm } from './digest.ts'
import { CountersignError, unreachable } from './failure.ts'
import type { PublicKey, SignatureAlgorithm } from './keys/model.ts'
import { verifyEd25519phDigest } from './keys/digest-signature.ts'
import { readEcdsaSignature } from './keys/ecdsa-signature.ts'
import { rsaPublicOperation } from './keys/rsa-signature.ts'
import { verifyDigestWith } from './keys/verify-digest.ts'
import type { Hasher, Primitives } from './primitives.ts'

type Bytes = Uint8Array<ArrayBuffer>
type Parameters = { name: string; namedCurve?: string; hash?: string; saltLength?: number }

/** The part of `crypto.subtle` that is used; browsers and Node fit. */
export type WebCryptoSubtle = {
  digest(algorithm: string, data: Bytes): Promise<ArrayBuffer>
  importKey(format: 'spki', data: Bytes, algorithm: Parameters, extractable: boolean, usages: 'verify'[]): Promise<object>
  verify(algorithm: Parameters, key: object, signature: Bytes, data: Bytes): Promise<boolean>
}

const hashNames: Readonly<Record<HashAlgorithm, string>> = { sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' }
const curveNames = { 'ec-p256': 'P-256', 'ec-p384': 'P-384', 'ec-p521': 'P-521', rsa: undefined, ed25519: undefined } as const

/**
 * Primitives over WebCrypto (`webPrimitives(crypto.subtle)`).
 *
 * RSA-PSS takes a salt as long as the hash. Pure Ed25519 is the platform's: OpenSSL and browsers agree on all but signatures that the key's own
 * owner crafts from points of small order, which noble (Ed25519ph) refuses. Throws `algorithm_unsupported` only where the platform's WebCrypto lacks an algorithm altogether.
 */
export function webPrimitives(subtle: WebCryptoSubtle): Primitives {
  const keys = new WeakMap<PublicKey, Map<string, Promise<object | undefined>>>()
  const hash = async (algorithm: HashAlgorithm, data: Uint8Array): Promise<Uint8Array> =>
    new Uint8Array(await subtle.digest(hashNames[algorithm], data as Bytes))
  return {
    hash,
    hasher: newHasher,
    verify: async (algorithm, key, message, signature) => {
      if (algorithm.key !== key.type) return false
      if (algorithm.scheme === 'ed25519ph') return verifyEd25519phDigest(key, await hash('sha512', message), signature)
      const fixed = algorithm.scheme === 'ecdsa' ? readEcdsaSignature(algorithm, signature) : signature
      const parameters = parametersOf(algorithm)
      const imported = await importOnce(subtle, keys, key, parameters)
      if (fixed === undefined || imported === undefined) return false
      return subtle.verify(parameters, imported, fixed as Bytes, message as Bytes)
    },
    verifyDigest: (...signed) => verifyDigestWith({ rsaPublic: rsaPublicOperation, hash }, ...signed),
  }
}

/** WebCrypto hashes only what is whole in memory; streams need noble, loaded at the first use. */
async function newHasher(algorithm: HashAlgorithm): Promise<Hasher> {
  const functions = await import('@noble/hashes/sha2.js')
  const hash = functions[algorithm].create()
  return {
    update: (chunk) => {
      hash.update(chunk)
    },
    digest: () => hash.digest(),
  }
}

function parametersOf(algorithm: SignatureAlgorithm): Parameters {
  const hash = hashNames[algorithm.hash]
  switch (algorithm.scheme) {
    case 'ecdsa':
      return { name: 'ECDSA', namedCurve: curveNames[algorithm.key] as string, hash }
    case 'rsa-pkcs1v15':
      return { name: 'RSASSA-PKCS1-v1_5', hash }
    case 'rsa-pss':
      return { name: 'RSA-PSS', hash, saltLength: hashLength[algorithm.hash] }
    case 'ed25519':
      return { name: 'Ed25519' }
    case 'ed25519ph':
      throw new CountersignError('internal', 'WebCrypto has no Ed25519ph')
    default:
      return unreachable(algorithm.scheme)
  }
}

/** One CryptoKey for each key and use; WebCrypto binds RSA keys to a hash. `undefined`: the key itself is refused. */
function importOnce(
  subtle: WebCryptoSubtle,
  keys: WeakMap<PublicKey, Map<string, Promise<object | undefined>>>,
  key: PublicKey,
  parameters: Parameters,
): Promise<object | undefined> {
  const uses = keys.get(key) ?? new Map<string, Promise<object | undefined>>()
  keys.set(key, uses)
  const use = parameters.name.startsWith('RSA') ? `${parameters.name} ${parameters.hash ?? ''}` : parameters.name
  const imported = uses.get(use) ?? subtle.importKey('spki', key.spki as Bytes, parameters, false, ['verify']).catch(refusedKey)
  uses.set(use, imported)
  return imported
}

/** A `DataError` is about the key, such as a point off the curve; anything else is about the platform. */
function refusedKey(cause: unknown): undefined {
  if (cause instanceof Error && cause.name === 'DataError') return undefined
  throw new CountersignError('algorithm_unsupported', 'this platform has no WebCrypto implementation of the algorithm', { cause })
}
