/** Public keys as SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). */
import { bytesToBase64 } from '../base64.ts'
import {
  derTag,
  isUniversal,
  parseDer,
  readBitStringBytes,
  readInteger,
  readNull,
  readOid,
  readSequence,
  withDerCode,
  type DerNode,
} from '../der/reader.ts'
import { derBitString, derNull, derOid, derSequence } from '../der/writer.ts'
import { digestFromBytes, type Digest } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { encodePem, decodePem } from '../pem.ts'
import type { Primitives } from '../primitives.ts'
import { coordinateLength, type EcKeyType } from './ecdsa-signature.ts'
import type { PublicKey } from './model.ts'

export type { PublicKey } from './model.ts'

/** Two 4096-bit numbers with their headers need 1,050 bytes; ML-DSA-87 would need 2,614. */
const limits = { maxBytes: 4096, maxDepth: 8 }

/** RFC 5480 §2.1, RFC 8017 appendix A.1, RFC 8410 §3. */
const oid = { ec: '1.2.840.10045.2.1', rsa: '1.2.840.113549.1.1.1', ed25519: '1.3.101.112' } as const

/** Named curves (RFC 5480 §2.1.1.1). */
const curves: Readonly<Record<string, EcKeyType | undefined>> = {
  '1.2.840.10045.3.1.7': 'ec-p256',
  '1.3.132.0.34': 'ec-p384',
  '1.3.132.0.35': 'ec-p521',
}

/** Kinds of keys that people bring and the platform does not take, for the message. */
const unsupportedNames: Readonly<Record<string, string | undefined>> = {
  '1.3.132.0.10': 'curve secp256k1',
  '1.3.132.0.33': 'curve P-224',
  '1.3.101.113': 'Ed448',
  '1.3.101.110': 'X25519',
  '1.2.840.10040.4.1': 'DSA',
  '1.2.840.113549.1.1.10': 'an RSA key restricted to PSS',
  '2.16.840.1.101.3.4.3.17': 'ML-DSA-44',
  '2.16.840.1.101.3.4.3.18': 'ML-DSA-65',
  '2.16.840.1.101.3.4.3.19': 'ML-DSA-87',
}

const supported = 'ECDSA on P-256, P-384 or P-521, RSA of 2048 to 4096 bits, or Ed25519'

/**
 * Reads a SubjectPublicKeyInfo, DER.
 *
 * Strict: named curves and uncompressed points only, the parameters that the RFC of each type prescribes, RSA moduli of 2048 to 4096 bits
 * with an odd exponent from 3 up to 2^32 (both as Go's and Let's Encrypt's checks have it; 65537 is usual). That an EC point lies on its
 * curve is checked by the primitives when the key is used: they answer `false`.
 * Throws `key_malformed`, or `key_unsupported` for a sound key of a kind that the platform does not take.
 */
export function parsePublicKey(spki: Uint8Array): PublicKey {
  return withDerCode('key_malformed', 'not a public key', () => readSpki(spki))
}

/** Reads a bare `RSAPublicKey` (PKCS#1, RFC 8017 appendix A.1.1), as old trusted roots carry it. Fails as {@link parsePublicKey}. */
export function parsePkcs1PublicKey(der: Uint8Array): PublicKey {
  return parsePublicKey(derSequence(derSequence(derOid(oid.rsa), derNull()), derBitString(der)))
}

/**
 * Reads a PEM file with exactly one block, `PUBLIC KEY` (or `RSA PUBLIC KEY`, as cosign does too).
 * Throws `pem_malformed`, `key_malformed` or `key_unsupported`; other kinds of PEM are named in the failure, with a hint.
 */
export function parsePublicKeyPem(text: string): PublicKey {
  const [block, ...more] = decodePem(text)
  if (block === undefined || more.length > 0) {
    throw new CountersignError('pem_malformed', `a public key file has one PEM block, this one has ${more.length + (block ? 1 : 0)}`)
  }
  if (block.label === 'PUBLIC KEY') return parsePublicKey(block.bytes)
  if (block.label === 'RSA PUBLIC KEY') return parsePkcs1PublicKey(block.bytes)
  throw new CountersignError('key_unsupported', `a PEM block of type ${block.label} is not a public key`, {
    expected: 'PUBLIC KEY',
    found: block.label,
    hint: hintFor(block.label),
  })
}

/** The key as PEM, `PUBLIC KEY`. */
export function encodePublicKeyPem(key: PublicKey): string {
  return encodePem('PUBLIC KEY', key.spki)
}

/** SHA-256 of the SubjectPublicKeyInfo: how reports name a key. */
export async function keyFingerprint(key: PublicKey, primitives: Primitives): Promise<Digest> {
  // A SHA-256 hash has the length of one.
  return digestFromBytes('sha256', await primitives.hash('sha256', key.spki)) as Digest
}

/** What cosign writes as a bundle's `publicKey.hint`: base64 of SHA-256 of the SubjectPublicKeyInfo. Untrusted when read. */
export async function keyHint(key: PublicKey, primitives: Primitives): Promise<string> {
  return bytesToBase64(await primitives.hash('sha256', key.spki))
}

/** The modulus and exponent of an RSA key, big-endian, without leading zeros. Only for keys of type `rsa`. */
export function rsaNumbers(key: PublicKey): { readonly modulus: Uint8Array; readonly exponent: Uint8Array } {
  const [modulus, exponent] = parseDer(key.raw, limits).children()
  return { modulus: positiveInteger(modulus, 'modulus'), exponent: positiveInteger(exponent, 'exponent') }
}

function readSpki(spki: Uint8Array): PublicKey {
  // A copy, so that a caller who reuses the buffer cannot change a key after it was checked.
  const whole = new Uint8Array(spki)
  const [algorithm, bits, ...more] = readSequence(parseDer(whole, limits))
  const [type, parameters, ...extra] = readSequence(algorithm)
  if (more.length > 0 || extra.length > 0) throw malformed('it has more members than SubjectPublicKeyInfo')
  const raw = readBitStringBytes(bits)
  const name = readOid(type)
  switch (name) {
    case oid.ec:
      return readEc(whole, raw, parameters)
    case oid.rsa:
      // RFC 3279 §2.3.1: the parameters are NULL, not absent.
      readNull(parameters)
      return readRsa(whole, raw)
    case oid.ed25519:
      // RFC 8410 §3: the parameters are absent.
      if (parameters !== undefined) throw malformed('an Ed25519 key has parameters')
      if (raw.length !== 32) throw malformed(`an Ed25519 key has ${raw.length} bytes, not 32`)
      return { type: 'ed25519', spki: whole, raw }
    default:
      throw unsupported(name)
  }
}

function readEc(spki: Uint8Array, raw: Uint8Array, parameters: DerNode | undefined): PublicKey {
  // RFC 5480 §2.1.1: explicit parameters would let the key choose its own curve (CVE-2020-0601).
  if (!isUniversal(parameters, derTag.oid)) {
    throw new CountersignError('key_unsupported', 'the key does not name its curve', { expected: 'a named curve' })
  }
  const type = curves[readOid(parameters)]
  if (type === undefined) throw unsupported(readOid(parameters))
  if (raw[0] === 2 || raw[0] === 3) {
    throw new CountersignError('key_unsupported', 'the key is a compressed point', {
      hint: 'Write it with openssl ec -conv_form uncompressed.',
    })
  }
  if (raw[0] !== 4 || raw.length !== 1 + 2 * coordinateLength[type]) throw malformed('its EC point has the wrong form or length')
  return { type, spki, raw }
}

function readRsa(spki: Uint8Array, raw: Uint8Array): PublicKey {
  const [modulusNode, exponentNode, ...more] = readSequence(parseDer(raw, limits))
  if (more.length > 0) throw malformed('it has more members than RSAPublicKey')
  const modulus = positiveInteger(modulusNode, 'modulus')
  const exponent = positiveInteger(exponentNode, 'exponent')
  const bits = modulus.length * 8 - Math.clz32(modulus[0] as number) + 24
  if (bits < 2048 || bits > 4096) {
    throw new CountersignError('key_unsupported', `an RSA key of ${bits} bits`, { expected: '2048 to 4096 bits', found: `${bits} bits` })
  }
  if (((modulus.at(-1) as number) & 1) === 0) throw malformed('its RSA modulus is even')
  // An exponent of 1 makes every message its own signature; a huge one makes verification slow.
  const last = exponent.at(-1) as number
  if (exponent.length > 4 || (last & 1) === 0 || (exponent.length === 1 && last < 3)) {
    throw new CountersignError('key_unsupported', 'the RSA exponent is not an odd number from 3 to 2^32', { expected: '65537' })
  }
  return { type: 'rsa', spki, bits, raw }
}

/** The magnitude of an INTEGER above zero, without the sign's zero byte. */
function positiveInteger(node: DerNode | undefined, what: string): Uint8Array {
  const content = readInteger(node)
  const [first, second] = content
  if ((first as number) >= 0x80 || (first === 0 && second === undefined)) throw malformed(`its RSA ${what} is not above zero`)
  return first === 0 ? content.subarray(1) : content
}

function hintFor(label: string): string {
  if (label === 'CERTIFICATE') return 'Take the key out with openssl x509 -pubkey -noout.'
  if (label.includes('PRIVATE KEY')) return 'Give the public key; countersign public-key writes it.'
  return 'Give a file that begins with -----BEGIN PUBLIC KEY-----.'
}

function unsupported(name: string): CountersignError {
  return new CountersignError('key_unsupported', `a key of a kind that is not supported: ${unsupportedNames[name] ?? name}`, {
    expected: supported,
  })
}

function malformed(detail: string): CountersignError {
  return new CountersignError('key_malformed', `not a public key: ${detail}`)
}
