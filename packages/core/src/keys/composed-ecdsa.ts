/**
 * ECDSA over a digest, composed of what platforms do offer: multiples of the base point, and the key agreement of ECDH.
 *
 * FIPS 186-5 §6.4.2 wants the x coordinate of R = u1·G + u2·Q, with u1 = e/s and u2 = r/s. Since u1 = u2·(e/r), R is also u2·(t·G + Q) with
 * t = e/r: one multiple of the base point, one addition, and the x coordinate of one multiple, which is what ECDH gives. Five times as fast as
 * point arithmetic in JavaScript. Only public numbers are handled here: nothing needs constant time.
 */
import { hashLength } from '../digest.ts'
import { coordinateLength, isEcKeyType, readEcdsaSignature, type EcKeyType } from './ecdsa-signature.ts'
import type { PublicKey, SignatureAlgorithm } from './model.ts'

/** What the platform computes. Scalars and coordinates are big-endian, as long as a coordinate; points are uncompressed (SEC 1 §2.3.3). */
export type CurveOperations = {
  /** The multiple of the base point; the scalar is from 1 to the order less 1. */
  readonly baseMultiple: (curve: EcKeyType, scalar: Uint8Array) => Uint8Array
  /** The x coordinate of the multiple of a point that is on the curve. */
  readonly sharedX: (curve: EcKeyType, point: Uint8Array, scalar: Uint8Array) => Uint8Array
}

/** y² = x³ − 3x + b over the prime field p (SEC 2 §2.4.2, §2.5.1, §2.6.1); n is the order. */
type Curve = { readonly width: number; readonly p: bigint; readonly b: bigint; readonly n: bigint }
type Point = { readonly x: bigint; readonly y: bigint }

const parameters: Readonly<Record<EcKeyType, readonly [p: string, b: string, n: string]>> = {
  'ec-p256': [
    '0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff',
    '0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b',
    '0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  ],
  'ec-p384': [
    '0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff',
    '0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef',
    '0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  ],
  'ec-p521': [
    '0x01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    '0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00',
    '0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
  ],
}

const curves = new Map<EcKeyType, Curve>()

/**
 * Whether an ECDSA signature over a digest of `algorithm.hash` holds; the encoding is the algorithm's. A point off the curve, a digest of
 * another length and a malformed signature are `false`.
 */
export function verifyEcdsaDigestWith(
  operations: CurveOperations,
  algorithm: SignatureAlgorithm,
  key: PublicKey,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const type = algorithm.key
  const fixed = readEcdsaSignature(algorithm, signature)
  if (fixed === undefined || !isEcKeyType(type) || type !== key.type || digest.length !== hashLength[algorithm.hash]) return false
  const curve = curveOf(type)
  const { width, n } = curve
  const publicPoint = readPoint(curve, key.raw)
  // Off the curve, the addition below would lead to a curve of the attacker's choice.
  if (publicPoint === undefined || !isOnCurve(curve, publicPoint)) return false
  const r = toNumber(fixed.subarray(0, width))
  const s = toNumber(fixed.subarray(width))
  const inverse = invert((r * s) % n, n)
  const t = (toNumber(digest.subarray(0, width)) * ((inverse * s) % n)) % n
  const u2 = (((r * r) % n) * inverse) % n
  const sum = t === 0n ? publicPoint : add(curve, readPoint(curve, operations.baseMultiple(type, toBytes(t, width))) as Point, publicPoint)
  // The sum is the point at infinity, and so is R: FIPS 186-5 §6.4.2, step 6.
  if (sum === undefined) return false
  const point = new Uint8Array(1 + 2 * width)
  point[0] = 4
  point.set(toBytes(sum.x, width), 1)
  point.set(toBytes(sum.y, width), 1 + width)
  return toNumber(operations.sharedX(type, point, toBytes(u2, width))) % n === r
}

function curveOf(type: EcKeyType): Curve {
  const known = curves.get(type)
  if (known !== undefined) return known
  const [p, b, n] = parameters[type]
  const curve = { width: coordinateLength[type], p: BigInt(p), b: BigInt(b), n: BigInt(n) }
  curves.set(type, curve)
  return curve
}

function readPoint({ width, p }: Curve, bytes: Uint8Array): Point | undefined {
  if (bytes[0] !== 4 || bytes.length !== 1 + 2 * width) return undefined
  const x = toNumber(bytes.subarray(1, 1 + width))
  const y = toNumber(bytes.subarray(1 + width))
  return x < p && y < p ? { x, y } : undefined
}

function isOnCurve({ p, b }: Curve, { x, y }: Point): boolean {
  return (y * y - (x * x * x - 3n * x + b)) % p === 0n
}

/** SEC 1 §2.2.1; `undefined` is the point at infinity. */
function add({ p }: Curve, left: Point, right: Point): Point | undefined {
  const same = left.x === right.x
  if (same && left.y !== right.y) return undefined
  // No point of these curves has y = 0: their orders are odd.
  const slope = same
    ? modulo((3n * left.x * left.x - 3n) * invert((2n * left.y) % p, p), p)
    : modulo((right.y - left.y) * invert(modulo(right.x - left.x, p), p), p)
  const x = modulo(slope * slope - left.x - right.x, p)
  return { x, y: modulo(slope * (left.x - x) - left.y, p) }
}

/** The extended algorithm of Euclid; `value` is from 1 to the prime less 1. */
function invert(value: bigint, prime: bigint): bigint {
  let [a, b] = [value, prime]
  let [x, y] = [1n, 0n]
  while (a > 1n) {
    const quotient = b / a
    const rest = b - quotient * a
    b = a
    a = rest
    const next = y - quotient * x
    y = x
    x = next
  }
  return x < 0n ? x + prime : x
}

function modulo(value: bigint, prime: bigint): bigint {
  const rest = value % prime
  return rest < 0n ? rest + prime : rest
}

/** Eight bytes at a time: hexadecimal on the way would cost more than the arithmetic. */
function toNumber(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let value = 0n
  let at = 0
  for (; at < bytes.length % 8; at++) value = (value << 8n) | BigInt(view.getUint8(at))
  for (; at < bytes.length; at += 8) value = (value << 64n) | view.getBigUint64(at)
  return value
}

function toBytes(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  let rest = value
  let at = length
  for (; at >= 8; rest >>= 64n) view.setBigUint64((at -= 8), BigInt.asUintN(64, rest))
  for (; at > 0; rest >>= 8n) view.setUint8(--at, Number(rest & 255n))
  return bytes
}
