/** Private keys in memory: an OpenSSL handle and the public key that belongs to it. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { derTag, isUniversal, parseDer, readOctetString, readSequence } from '@countersign/core/der/reader'
import { CountersignError, unreachable } from '@countersign/core/failure'
import { parsePublicKey, type PublicKey } from '@countersign/core/keys/public-key'

/** A private key of a supported kind. */
export type PrivateKey = { readonly handle: KeyObject; readonly publicKey: PublicKey }

/** Reads PKCS#8, DER. Throws `key_malformed`, or `key_unsupported` for a kind that the platform does not take. */
export function readPkcs8(pkcs8: Uint8Array): PrivateKey {
  let handle: KeyObject
  try {
    handle = createPrivateKey({ key: Buffer.from(pkcs8.buffer, pkcs8.byteOffset, pkcs8.length), format: 'der', type: 'pkcs8' })
  } catch (cause) {
    throw new CountersignError('key_malformed', 'not a private key in PKCS#8', { cause })
  }
  return ofHandle(handle)
}

/** The private key behind an OpenSSL handle. Throws `key_unsupported`. */
export function ofHandle(handle: KeyObject): PrivateKey {
  return { handle, publicKey: parsePublicKey(createPublicKey(handle).export({ format: 'der', type: 'spki' })) }
}

/** The key as PKCS#8, DER; the caller wipes it. */
export function toPkcs8(key: PrivateKey): Uint8Array {
  return key.handle.export({ format: 'der', type: 'pkcs8' })
}

/** The secret number itself: an EC scalar as wide as a coordinate, or the 32 bytes of Ed25519. The caller wipes it. */
export function secretNumber(key: PrivateKey): Uint8Array {
  switch (key.publicKey.type) {
    case 'ec-p256':
    case 'ec-p384':
    case 'ec-p521':
      // RFC 5915 §3: ECPrivateKey { version, privateKey OCTET STRING, … }.
      return readOctetString(readSequence(parseDer(key.handle.export({ format: 'der', type: 'sec1' })))[1])
    case 'ed25519': {
      // RFC 8410 §7: the OCTET STRING of PKCS#8 holds another with the key.
      const outer = readSequence(parseDer(toPkcs8(key)))[2]
      const inner = parseDer(readOctetString(outer))
      if (!isUniversal(inner, derTag.octetString)) throw new CountersignError('internal', 'an Ed25519 key has another form than RFC 8410')
      return inner.content
    }
    case 'rsa':
      throw new CountersignError('internal', 'an RSA key has no single secret number')
    default:
      return unreachable(key.publicKey.type)
  }
}
