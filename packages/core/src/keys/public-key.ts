/** Public keys as SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). */
import { bytesToBase64 } from '../base64.ts'
import { bytesToHex, concatBytes, hexToBytes } from '../bytes.ts'
import { derTag, isUniversal, parseDer, withDerCode, type DerNode } from '../der/reader.ts'
import { digestFromBytes, type Digest } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { encodePem, decodePem } from '../pem.ts'
import type { Primitives } from '../primitives.ts'
import type { KeyType } from './algorithm.ts'

/** A public key that was parsed and found supported. Equality is equality of `spki`. */
export type PublicKey = {
  readonly type: KeyType
  /** The whole SubjectPublicKeyInfo, DER, exactly as found. */
  readonly spki: Uint8Array
  /** RSA only: length of the modulus in bits. */
  readonly bits?: number
  /** The key's own bytes: the uncompressed EC point, the 32 bytes of Ed25519, or the DER RSAPublicKey. */
  readonly raw: Uint8Array
}

/** Two 4096-bit numbers with their headers need 1,050 bytes; ML-DSA-87 would need 2,614. */
const limits = { maxBytes: 4096, maxDepth: 8 }

/** Contents of OBJECT IDENTIFIER, hex. RFC 5480 §2.1, RFC 8017 appendix A.1, RFC 8410 §3. */
const oid = { ec: '2a8648ce3d0201', rsa: '2a864886f70d010101', ed25519: '2b6570' } as const

/** Named curves (RFC 5480 §2.1.1.1) and the bytes of one coordinate. */
const curves: ReadonlyMap<string, { readonly type: KeyType; readonly width: number }> = new Map([
  ['2a8648ce3d030107', { type: 'ec-p256', width: 32 }],
  ['2b81040022', { type: 'ec-p384', width: 48 }],
  ['2b81040023', { type: 'ec-p521', width: 66 }],
])

/** Kinds of keys that people bring and the platform does not take, for the message. */
const unsupportedNames: Readonly<Record<string, string>> = {
  '2b8104000a': 'curve secp256k1',
  '2b81040021': 'curve P-224',
  '2b6571': 'Ed448',
  '2b656e': 'X25519',
  '2a8648ce380401': 'DSA',
  '2a864886f70d01010a': 'an RSA key restricted to PSS',
  '608648016503040311': 'ML-DSA-44',
  '608648016503040312': 'ML-DSA-65',
  '608648016503040313': 'ML-DSA-87',
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
  return parsePublicKey(wrapRsaPublicKey(der))
}

/**
 * Reads a PEM file with exactly one `PUBLIC KEY` block.
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
  const root = parseDer(spki, limits)
  const [algorithm, bits, ...more] = sequence(root, 'SubjectPublicKeyInfo')
  const [type, parameters, ...extra] = sequence(algorithm, 'AlgorithmIdentifier')
  if (more.length > 0 || extra.length > 0) throw malformed('it has more members than SubjectPublicKeyInfo')
  if (!isUniversal(type, derTag.oid)) throw malformed('its algorithm is not an object identifier')
  if (!isUniversal(bits, derTag.bitString) || bits.content[0] !== 0) throw malformed('its key is not a whole number of bytes')
  // A copy, so that a caller who reuses the buffer cannot change a key after it was checked.
  const whole = new Uint8Array(root.raw)
  const raw = whole.subarray(whole.length - bits.content.length + 1)
  switch (bytesToHex(type.content)) {
    case oid.ec:
      return readEc(whole, raw, parameters)
    case oid.rsa:
      // RFC 3279 §2.3.1: the parameters are NULL, not absent.
      if (!isUniversal(parameters, derTag.null) || parameters.content.length > 0) throw malformed('its RSA parameters are not NULL')
      return readRsa(whole, raw)
    case oid.ed25519:
      // RFC 8410 §3: the parameters are absent.
      if (parameters !== undefined) throw malformed('an Ed25519 key has parameters')
      if (raw.length !== 32) throw malformed(`an Ed25519 key has ${raw.length} bytes, not 32`)
      return { type: 'ed25519', spki: whole, raw }
    default:
      throw unsupported(type)
  }
}

function readEc(spki: Uint8Array, raw: Uint8Array, parameters: DerNode | undefined): PublicKey {
  // RFC 5480 §2.1.1: explicit parameters would let the key choose its own curve (CVE-2020-0601).
  if (!isUniversal(parameters, derTag.oid)) {
    throw new CountersignError('key_unsupported', 'the key does not name its curve', { expected: 'a named curve' })
  }
  const curve = curves.get(bytesToHex(parameters.content))
  if (curve === undefined) throw unsupported(parameters)
  if (raw[0] === 2 || raw[0] === 3) {
    throw new CountersignError('key_unsupported', 'the key is a compressed point', {
      hint: 'Write it with openssl ec -conv_form uncompressed.',
    })
  }
  if (raw[0] !== 4 || raw.length !== 1 + 2 * curve.width) throw malformed('its EC point has the wrong form or length')
  return { type: curve.type, spki, raw }
}

function readRsa(spki: Uint8Array, raw: Uint8Array): PublicKey {
  const [modulusNode, exponentNode, ...more] = sequence(parseDer(raw, limits), 'RSAPublicKey')
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

function sequence(node: DerNode | undefined, what: string): readonly DerNode[] {
  if (!isUniversal(node, derTag.sequence)) throw malformed(`${what} is not a sequence`)
  return node.children()
}

/** X.690 §8.3.2: shortest form; here also above zero. Returns the bytes without the sign's zero byte. */
function positiveInteger(node: DerNode | undefined, what: string): Uint8Array {
  if (!isUniversal(node, derTag.integer)) throw malformed(`its RSA ${what} is not an integer`)
  const [first, second] = node.content
  if (first === undefined || first >= 0x80) throw malformed(`its RSA ${what} is negative or empty`)
  if (first !== 0) return node.content
  if (second === undefined || second < 0x80) throw malformed(`its RSA ${what} is zero or padded`)
  return node.content.subarray(1)
}

/** SEQUENCE { SEQUENCE { rsaEncryption, NULL }, BIT STRING }; lengths of two bytes, which any key of supported size needs. */
function wrapRsaPublicKey(der: Uint8Array): Uint8Array {
  if (der.length < 256 || der.length > limits.maxBytes) throw malformed(`${der.length} bytes are not an RSAPublicKey of supported size`)
  const two = (length: number): Uint8Array => Uint8Array.of(0x82, length >> 8, length & 0xff)
  const algorithm = hexToBytes(`300d0609${oid.rsa}0500`)
  const bits = concatBytes(Uint8Array.of(derTag.bitString), two(der.length + 1), Uint8Array.of(0), der)
  return concatBytes(Uint8Array.of(0x30), two(algorithm.length + bits.length), algorithm, bits)
}

function hintFor(label: string): string {
  if (label === 'CERTIFICATE') return 'Take the key out with openssl x509 -pubkey -noout.'
  if (label.includes('PRIVATE KEY')) return 'Give the public key; countersign public-key writes it.'
  return 'Give a file that begins with -----BEGIN PUBLIC KEY-----.'
}

function unsupported(type: DerNode): CountersignError {
  const hex = bytesToHex(type.content)
  return new CountersignError('key_unsupported', `a key of a kind that is not supported: ${unsupportedNames[hex] ?? `OID (hex) ${hex}`}`, {
    expected: supported,
  })
}

function malformed(detail: string): CountersignError {
  return new CountersignError('key_malformed', `not a public key: ${detail}`)
}
