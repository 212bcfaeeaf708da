/**
 * The one table of signature algorithms, and the one place that picks a hash: it comes from the key or from the bundle, never from a default.
 *
 * Names are those of Sigstore's `PublicKeyDetails` (protobuf-specs, sigstore_common.proto). ML-DSA has its place as further rows,
 * key types and schemes of this file.
 */
import type { HashAlgorithm } from '../digest.ts'
import { CountersignError, unreachable } from '../failure.ts'
import type { AlgorithmName, PublicKey, SignatureAlgorithm } from './model.ts'

export type { AlgorithmName, FurtherAlgorithmName, KeyType, SigstoreAlgorithmName, SignatureAlgorithm, SignatureScheme } from './model.ts'

/** What a signature was made over, where the signature itself does not say with which algorithm. */
export type SigningContext =
  /** The pre-authentication encoding of a DSSE envelope. */
  | 'dsse'
  /** cosign's legacy simple-signing payload. */
  | 'simple-signing'
  /** A file, with a detached signature that names no hash. */
  | 'detached'

const ecdsaNames = {
  'ec-p256': { sha256: 'PKIX_ECDSA_P256_SHA_256', sha384: 'PKIX_ECDSA_P256_SHA_384', sha512: 'PKIX_ECDSA_P256_SHA_512' },
  'ec-p384': { sha256: 'PKIX_ECDSA_P384_SHA_256', sha384: 'PKIX_ECDSA_P384_SHA_384', sha512: 'PKIX_ECDSA_P384_SHA_512' },
  'ec-p521': { sha256: 'PKIX_ECDSA_P521_SHA_256', sha384: 'PKIX_ECDSA_P521_SHA_384', sha512: 'PKIX_ECDSA_P521_SHA_512' },
} as const

const strongestHash = { 'ec-p256': 'sha256', 'ec-p384': 'sha384', 'ec-p521': 'sha512', rsa: 'sha256' } as const

const ed25519: SignatureAlgorithm = { name: 'PKIX_ED25519', key: 'ed25519', scheme: 'ed25519', hash: 'sha512' }
const ed25519ph: SignatureAlgorithm = { name: 'PKIX_ED25519_PH', key: 'ed25519', scheme: 'ed25519ph', hash: 'sha512' }

/** The names that a trusted root or log entry may use, without the further ones. */
const sigstoreName =
  /^PKIX_(?:(ED25519)|(ED25519_PH)|ECDSA_(P256|P384|P521)_SHA_(256|384|512)|RSA_(PKCS1V15|PSS)_(?:2048|3072|4096)_SHA256)$/

/**
 * The algorithm that a trusted root or log entry names; `undefined` for a name that is not in Sigstore's registry or not supported.
 * The caller must also see that the row's `key` is the type of the key at hand ({@link suits}).
 */
export function algorithmByName(name: string): SignatureAlgorithm | undefined {
  const match = sigstoreName.exec(name)
  if (match === null) return undefined
  const [, pure, prehashed, curve, hashBits, padding] = match
  if (pure !== undefined) return ed25519
  if (prehashed !== undefined) return ed25519ph
  if (padding !== undefined)
    return { name: name as AlgorithmName, key: 'rsa', scheme: padding === 'PSS' ? 'rsa-pss' : 'rsa-pkcs1v15', hash: 'sha256' }
  const key = `ec-p${(curve as string).slice(1)}` as keyof typeof ecdsaNames
  const hash = `sha${hashBits as string}` as HashAlgorithm
  // Only SHA-256 (deprecated, but in the registry) and the curve's own hash have a name there.
  return hash === 'sha256' || hash === strongestHash[key] ? ecdsa(key, hash) : undefined
}

/** Whether a key can make signatures of this algorithm. */
export function suits(algorithm: SignatureAlgorithm, key: PublicKey): boolean {
  return algorithm.key === key.type && (key.type !== 'rsa' || algorithm.name.includes(`_${rsaSize(key)}_`))
}

/**
 * How the owner of a key signs messages when nothing else is said: ECDSA with the hash of the curve's size, RSA with PKCS#1 v1.5 and
 * SHA-256, Ed25519 pure (sigstore/architecture-docs, algorithm-registry.md).
 */
export function defaultAlgorithm(key: PublicKey): SignatureAlgorithm {
  return key.type === 'ed25519' ? ed25519 : algorithmFor(key, strongestHash[key.type])
}

/** How the owner of a key signs a digest: the default, except Ed25519, which signs one only as Ed25519ph with SHA-512 (RFC 8032 §5.1). */
export function digestAlgorithmFor(key: PublicKey): SignatureAlgorithm {
  return key.type === 'ed25519' ? ed25519ph : defaultAlgorithm(key)
}

/**
 * The algorithm of a key with a hash that a bundle's `messageDigest`, a certificate or a timestamp token names.
 *
 * A bundle may name a hash other than the key's own: cosign 1 and 2 signed with P-384 over SHA-256. That gives an attacker nothing, since
 * each hash here is collision resistant and none can be made to give the digest of another. Ed25519 takes SHA-512 alone, as
 * Ed25519ph. Throws `algorithm_unsupported` for a pair that does not exist.
 */
export function algorithmFor(key: PublicKey, hash: HashAlgorithm, padding: 'pkcs1v15' | 'pss' = 'pkcs1v15'): SignatureAlgorithm {
  switch (key.type) {
    case 'ec-p256':
    case 'ec-p384':
    case 'ec-p521':
      return ecdsa(key.type, hash)
    case 'rsa': {
      const bits = hash === 'sha256' ? 'SHA256' : hash === 'sha384' ? 'SHA384' : 'SHA512'
      if (padding === 'pss') return { name: `PKIX_RSA_PSS_${rsaSize(key)}_${bits}`, key: 'rsa', scheme: 'rsa-pss', hash }
      return { name: `PKIX_RSA_PKCS1V15_${rsaSize(key)}_${bits}`, key: 'rsa', scheme: 'rsa-pkcs1v15', hash }
    }
    case 'ed25519':
      if (hash === 'sha512') return ed25519ph
      throw new CountersignError('algorithm_unsupported', 'an Ed25519 key signs a digest only as Ed25519ph', {
        expected: 'sha512',
        found: hash,
      })
    default:
      return unreachable(key.type)
  }
}

/**
 * The algorithms to try, likeliest first, when a signature does not name its own. The caller reports which one held.
 *
 * cosign 3.1.1 signs DSSE with Ed25519 as Ed25519ph and verifies it as pure; other tools sign it pure. The two are domain separated
 * (RFC 8032 §5.1), so that trying both accepts nothing that the key's owner did not sign. cosign 1 and 2 hashed with SHA-256 for each curve.
 */
export function candidateAlgorithms(key: PublicKey, context: SigningContext): readonly [SignatureAlgorithm, ...SignatureAlgorithm[]] {
  const first = defaultAlgorithm(key)
  switch (key.type) {
    case 'ec-p256':
      return [first]
    case 'rsa':
      // Neither padding can be made from the other without the private key (RFC 8017 §8).
      return [first, algorithmFor(key, first.hash, 'pss')]
    case 'ec-p384':
    case 'ec-p521':
      return [first, ecdsa(key.type, 'sha256')]
    case 'ed25519':
      // Nothing ever signed a simple-signing payload as Ed25519ph.
      return context === 'simple-signing' ? [first] : [first, ed25519ph]
    default:
      return unreachable(key.type)
  }
}

/** The same ECDSA algorithm with signatures as fixed-width r‖s (IEEE P1363), as JOSE writes them; others are returned as they are. */
export function withP1363(algorithm: SignatureAlgorithm): SignatureAlgorithm {
  return algorithm.scheme === 'ecdsa' ? { ...algorithm, encoding: 'p1363' } : algorithm
}

function ecdsa(key: keyof typeof ecdsaNames, hash: HashAlgorithm): SignatureAlgorithm {
  return { name: ecdsaNames[key][hash], key, scheme: 'ecdsa', hash, encoding: 'der' }
}

/** The registry names three sizes; a key in between is named by the one below it. */
function rsaSize(key: PublicKey): '2048' | '3072' | '4096' {
  const bits = key.bits ?? 0
  return bits >= 4096 ? '4096' : bits >= 3072 ? '3072' : '2048'
}
