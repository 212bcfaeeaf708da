/** Signatures over a digest, which OpenSSL's synchronous door does not verify: composed of what it does offer. */
import { constants, createECDH, type ECDH, publicDecrypt } from 'node:crypto'
import { verifyEcdsaDigestWith, type CurveOperations } from '@countersign/core/keys/composed-ecdsa'
import type { EcKeyType } from '@countersign/core/keys/ecdsa-signature'
import type { PublicKey, SignatureAlgorithm } from '@countersign/core/keys/model'
import { type DigestOperations, verifyDigestWith } from '@countersign/core/keys/verify-digest'
import type { Awaitable } from '@countersign/core/primitives'
import { hashBytes, plain, publicKeyObject } from './primitives.ts'

const curveNames: Readonly<Record<EcKeyType, string>> = { 'ec-p256': 'prime256v1', 'ec-p384': 'secp384r1', 'ec-p521': 'secp521r1' }
const curves = new Map<EcKeyType, ECDH>()

const operations: CurveOperations = {
  baseMultiple: (type, scalar) => {
    const curve = curveOf(type)
    curve.setPrivateKey(scalar)
    return plain(curve.getPublicKey())
  },
  sharedX: (type, point, scalar) => {
    const curve = curveOf(type)
    curve.setPrivateKey(scalar)
    return plain(curve.computeSecret(point))
  },
}

const composed: DigestOperations = {
  ecdsa: (...signed) => verifyEcdsaDigestWith(operations, ...signed),
  rsaPublic: rsaPublicOperation,
  hash: hashBytes,
}

/**
 * Whether a signature over a digest of `algorithm.hash` holds. ECDSA takes a quarter of a millisecond, RSA less, Ed25519ph several (noble): for
 * worker threads where many come. Everything malformed is `false`, as is pure Ed25519, which signs no digest.
 */
export function verifyDigest(algorithm: SignatureAlgorithm, key: PublicKey, digest: Uint8Array, signature: Uint8Array): Awaitable<boolean> {
  return verifyDigestWith(composed, algorithm, key, digest, signature)
}

/** RSAVP1 (RFC 8017 §5.2.2). OpenSSL throws for a signature of another length, or not below the modulus: that is a wrong signature. */
function rsaPublicOperation(key: PublicKey, signature: Uint8Array): Uint8Array | undefined {
  const object = publicKeyObject(key)
  if (object === undefined || signature.length !== Math.ceil((key.bits ?? 0) / 8)) return undefined
  try {
    return plain(publicDecrypt({ key: object, padding: constants.RSA_NO_PADDING }, signature))
  } catch {
    return undefined
  }
}

function curveOf(type: EcKeyType): ECDH {
  const curve = curves.get(type) ?? createECDH(curveNames[type])
  curves.set(type, curve)
  return curve
}
