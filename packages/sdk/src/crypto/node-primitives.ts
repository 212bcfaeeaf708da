/** Hashes and signatures with OpenSSL through `node:crypto`; what it lacks is computed by core's `keys/*-signature`. */
import { constants, createHash, createPublicKey, hash, type KeyObject, publicDecrypt, verify } from 'node:crypto'
import { type HashAlgorithm, hashLength } from '@countersign/core/digest'
import { unreachable } from '@countersign/core/failure'
import type { SignatureAlgorithm } from '@countersign/core/keys/algorithm'
import { verifyEd25519phDigest } from '@countersign/core/keys/digest-signature'
import { readEcdsaSignature } from '@countersign/core/keys/ecdsa-signature'
import type { PublicKey } from '@countersign/core/keys/public-key'
import { verifyDigestWith } from '@countersign/core/keys/verify-digest'
import type { Awaitable, Hasher, Primitives } from '@countersign/core/primitives'

/** OpenSSL takes 15 to 40 µs to read a key; `null` remembers that it refuses this one. */
const keyObjects = new WeakMap<PublicKey, KeyObject | null>()

/** Primitives over OpenSSL: an answer at once for messages and hashes, a promise only for ECDSA, Ed25519ph and RSA over a digest. */
export const nodePrimitives: Primitives = {
  hash: hashBytes,
  hasher: newHasher,
  verify: verifyMessage,
  verifyDigest: (...signed) => verifyDigestWith({ rsaPublic: rsaPublicOperation, hash: hashBytes }, ...signed),
}

/** As a text of one character for each byte: a Buffer for the answer would take longer than the hash of a node of a tree. */
function hashBytes(algorithm: HashAlgorithm, data: Uint8Array): Uint8Array {
  const characters = hash(algorithm, data, 'binary')
  const bytes = new Uint8Array(characters.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i)
  return bytes
}

function newHasher(algorithm: HashAlgorithm): Hasher {
  const hasher = createHash(algorithm)
  return {
    update: (chunk) => {
      hasher.update(chunk)
    },
    digest: () => plain(hasher.digest()),
  }
}

/** The same bytes without Buffer's own ways: its `slice` is a view, its equality and JSON are others. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}

function verifyMessage(algorithm: SignatureAlgorithm, key: PublicKey, message: Uint8Array, signature: Uint8Array): Awaitable<boolean> {
  if (algorithm.key !== key.type) return false
  switch (algorithm.scheme) {
    case 'ecdsa': {
      // OpenSSL is lax about BER: the one strict reader of the platform comes first.
      if (readEcdsaSignature(algorithm, signature) === undefined) return false
      return check(algorithm.hash, message, key, signature, algorithm.encoding === 'p1363' ? { dsaEncoding: 'ieee-p1363' } : undefined)
    }
    case 'rsa-pkcs1v15':
      return check(algorithm.hash, message, key, signature)
    case 'rsa-pss':
      return check(algorithm.hash, message, key, signature, {
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: hashLength[algorithm.hash],
      })
    case 'ed25519':
      return check(null, message, key, signature)
    case 'ed25519ph':
      return verifyEd25519phDigest(key, hashBytes('sha512', message), signature)
    default:
      return unreachable(algorithm.scheme)
  }
}

type Options = { dsaEncoding?: 'ieee-p1363'; padding?: number; saltLength?: number }

/** Without options ECDSA is in DER and RSA is PKCS#1 v1.5; a bare key takes a fifth less time than one among options. */
function check(hash: HashAlgorithm | null, message: Uint8Array, key: PublicKey, signature: Uint8Array, options?: Options): boolean {
  const object = keyObject(key)
  return object !== undefined && verify(hash, message, options === undefined ? object : { key: object, ...options }, signature)
}

/** RSAVP1 (RFC 8017 §5.2.2). OpenSSL throws for a signature of another length, or not below the modulus: that is a wrong signature. */
function rsaPublicOperation(key: PublicKey, signature: Uint8Array): Uint8Array | undefined {
  const object = keyObject(key)
  if (object === undefined || signature.length !== Math.ceil((key.bits ?? 0) / 8)) return undefined
  try {
    return plain(publicDecrypt({ key: object, padding: constants.RSA_NO_PADDING }, signature))
  } catch {
    return undefined
  }
}

/** A key that OpenSSL refuses, such as a point off the curve, verifies nothing. */
function keyObject(key: PublicKey): KeyObject | undefined {
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
