/** ECDSA signatures between ASN.1 DER (RFC 3279 §2.2.3) and fixed-width r‖s (IEEE P1363), strictly: one signature, one spelling. */
import { compareBytes, hexToBytes } from '../bytes.ts'
import { derSequence, derUnsignedInteger } from '../der/writer.ts'
import type { KeyType, SignatureAlgorithm } from './model.ts'

/** The curves of the table. */
export type EcKeyType = Extract<KeyType, `ec-${string}`>

/** Orders of the base points, big-endian (SEC 2 §2.4.2, §2.5.1, §2.6.1). */
const orders: Readonly<Record<EcKeyType, string>> = {
  'ec-p256': 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  'ec-p384': 'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  'ec-p521':
    '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
}

/** Bytes of a coordinate, and so of r and of s. */
export const coordinateLength: Readonly<Record<EcKeyType, number>> = { 'ec-p256': 32, 'ec-p384': 48, 'ec-p521': 66 }

/** Whether a key or algorithm is of an elliptic curve of the table. */
export function isEcKeyType(type: KeyType): type is EcKeyType {
  return type in orders
}

/**
 * Reads an ECDSA signature in the encoding of the algorithm and gives r‖s of fixed width.
 *
 * `undefined` for anything but the one encoding of two numbers from 1 to the order less 1: OpenSSL takes BER (padded lengths,
 * bytes after the end), which would let a stranger write one signature in many ways.
 */
export function readEcdsaSignature(algorithm: SignatureAlgorithm, signature: Uint8Array): Uint8Array | undefined {
  if (!isEcKeyType(algorithm.key)) return undefined
  const width = coordinateLength[algorithm.key]
  const fixed = algorithm.encoding === 'p1363' ? signature : fromDer(signature, width)
  if (fixed === undefined || fixed.length !== 2 * width) return undefined
  const order = orderOf(algorithm.key)
  return inRange(fixed.subarray(0, width), order) && inRange(fixed.subarray(width), order) ? fixed : undefined
}

/** Writes r‖s as DER. */
export function ecdsaSignatureToDer(fixed: Uint8Array): Uint8Array {
  const width = fixed.length / 2
  return derSequence(derUnsignedInteger(fixed.subarray(0, width)), derUnsignedInteger(fixed.subarray(width)))
}

/** By hand and not with the DER reader: on the path of every verification, and a failure here is an answer, not an exception. */
function fromDer(bytes: Uint8Array, width: number): Uint8Array | undefined {
  // P-521 alone may need a length of two bytes, 0x81 and at least 0x80.
  const long = bytes[1] === 0x81
  const start = long ? 3 : 2
  const length = long ? bytes[2] : bytes[1]
  if (bytes[0] !== 0x30 || length === undefined || length >= 0x80 !== long || bytes.length !== start + length) return undefined
  const fixed = new Uint8Array(2 * width)
  const next = readInteger(bytes, start, fixed.subarray(0, width))
  if (next === undefined) return undefined
  return readInteger(bytes, next, fixed.subarray(width)) === bytes.length ? fixed : undefined
}

/** Reads one INTEGER into `into`, right-aligned; gives the offset after it. X.690 §8.3.2: shortest form; never negative here. */
function readInteger(bytes: Uint8Array, start: number, into: Uint8Array): number | undefined {
  const length = bytes[start + 1]
  if (bytes[start] !== 0x02 || length === undefined || length === 0 || length >= 0x80) return undefined
  const end = start + 2 + length
  if (end > bytes.length) return undefined
  const first = bytes[start + 2] as number
  const padded = first === 0 && length > 1
  if (first >= 0x80 || (padded && (bytes[start + 3] as number) < 0x80)) return undefined
  const magnitude = bytes.subarray(padded ? start + 3 : start + 2, end)
  if (magnitude.length > into.length) return undefined
  into.set(magnitude, into.length - magnitude.length)
  return end
}

const orderBytes = new Map<EcKeyType, Uint8Array>()

function orderOf(type: EcKeyType): Uint8Array {
  const known = orderBytes.get(type) ?? hexToBytes(orders[type])
  orderBytes.set(type, known)
  return known
}

function inRange(value: Uint8Array, order: Uint8Array): boolean {
  return value.some((byte) => byte !== 0) && compareBytes(value, order) < 0
}
