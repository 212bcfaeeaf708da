/** Signatures over a digest, which OpenSSL's synchronous door does not verify: composed of what it does offer. */
import { constants, createECDH, type ECDH, publicDecrypt } from 'node:crypto'
import { unreachable } from '@countersign/core/failure'
import { hashLength } from '@countersign/core/digest'
import { verifyEcdsaDigestWith, type CurveOperations } from '@countersign/core/keys/composed-ecdsa'
import { verifyEd25519phDigest } from '@countersign/core/keys/digest-signature'
import type { EcKeyType } from '@countersign/core/keys/ecdsa-signature'
import type { PublicKey, SignatureAlgorithm } from '@countersign/core/keys/model'
import { isEncodedDigest } from '@countersign/core/keys/rsa-signature'
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

/**
 * Whether a signature over a digest of `algorithm.hash` holds. ECDSA takes a quarter of a millisecond, RSA less, Ed25519ph several (noble): for
 * worker threads where many come. Everything malformed is `false`, as is pure Ed25519, which signs no digest.
 */
export function verifyDigest(algorithm: SignatureAlgorithm, key: PublicKey, digest: Uint8Array, signature: Uint8Array): Awaitable<boolean> {
  if (algorithm.key !== key.type || digest.length !== hashLength[algorithm.hash]) return false
  switch (algorithm.scheme) {
    case 'ecdsa':
      return verifyEcdsaDigestWith(operations, algorithm, key, digest, signature)
    case 'rsa-pkcs1v15':
    case 'rsa-pss': {
      const encoded = rsaPublicOperation(key, signature)
      return encoded !== undefined && isEncodedDigest(algorithm, key, digest, encoded, hashBytes)
    }
    case 'ed25519ph':
      return verifyEd25519phDigest(key, digest, signature)
    case 'ed25519':
      return false
    default:
      return unreachable(algorithm.scheme)
  }
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
