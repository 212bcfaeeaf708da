/** RSA signatures over a digest (RFC 8017 §8), for platforms that verify only whole messages. Public numbers alone: nothing here is secret. */
import { bytesToHex, concatBytes, equalBytes, hexToBytes } from '../bytes.ts'
import { hashLength, type HashAlgorithm } from '../digest.ts'
import type { Awaitable } from '../primitives.ts'
import type { PublicKey, SignatureAlgorithm } from './model.ts'
import { rsaNumbers } from './public-key.ts'

/** RFC 8017 §9.2 note 1: DigestInfo up to the digest. The parameters are NULL; a signature without them is refused. */
const digestInfoPrefix: Readonly<Record<HashAlgorithm, string>> = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
}

/** The DER `DigestInfo` that PKCS#1 v1.5 signs. */
export function digestInfo(hash: HashAlgorithm, digest: Uint8Array): Uint8Array {
  return concatBytes(hexToBytes(digestInfoPrefix[hash]), digest)
}

/**
 * RSAVP1 (RFC 8017 §5.2.2): the signature to the power of the exponent, as many bytes as the modulus.
 * `undefined` when the signature has another length or is not below the modulus. About a millisecond for 4096 bits and 65537.
 */
export function rsaPublicOperation(key: PublicKey, signature: Uint8Array): Uint8Array | undefined {
  const { modulus, exponent } = rsaNumbers(key)
  if (signature.length !== modulus.length) return undefined
  const n = toNumber(modulus)
  const base = toNumber(signature)
  if (base >= n) return undefined
  return toBytes(power(base, toNumber(exponent), n), modulus.length)
}

/**
 * Whether the result of the public operation is the encoding of this digest: EMSA-PKCS1-v1_5 rebuilt and compared whole (RFC 8017 §8.2.2,
 * which leaves no room for Bleichenbacher's forgeries), or EMSA-PSS (§9.1.2) with MGF1 of the same hash and a salt as long as the hash.
 */
export async function isEncodedDigest(
  algorithm: SignatureAlgorithm,
  key: PublicKey,
  digest: Uint8Array,
  encoded: Uint8Array,
  hash: (algorithm: HashAlgorithm, data: Uint8Array) => Awaitable<Uint8Array>,
): Promise<boolean> {
  if (digest.length !== hashLength[algorithm.hash]) return false
  if (algorithm.scheme === 'rsa-pkcs1v15') return equalBytes(encoded, encodePkcs1v15(algorithm.hash, digest, encoded.length))
  return algorithm.scheme === 'rsa-pss' && isPss(algorithm.hash, (key.bits ?? 0) - 1, digest, encoded, hash)
}

/** 00 01 FF … FF 00 DigestInfo. */
function encodePkcs1v15(hash: HashAlgorithm, digest: Uint8Array, length: number): Uint8Array {
  const info = digestInfo(hash, digest)
  const padding = new Uint8Array(length - info.length - 3).fill(0xff)
  return concatBytes(Uint8Array.of(0, 1), padding, Uint8Array.of(0), info)
}

/** RFC 8017 §9.1.2; `bits` is the greatest length of the encoded message, one less than the modulus. */
async function isPss(
  algorithm: HashAlgorithm,
  bits: number,
  digest: Uint8Array,
  encoded: Uint8Array,
  hash: (algorithm: HashAlgorithm, data: Uint8Array) => Awaitable<Uint8Array>,
): Promise<boolean> {
  const length = Math.ceil(bits / 8)
  // A modulus of 8k+1 bits makes the encoded message one byte shorter than the modulus.
  if (encoded.length > length && encoded[0] !== 0) return false
  const message = encoded.subarray(encoded.length - length)
  const hashBytes = hashLength[algorithm]
  const masked = message.subarray(0, length - hashBytes - 1)
  const expected = message.subarray(masked.length, length - 1)
  const topMask = 0xff >> (8 * length - bits)
  if (message.at(-1) !== 0xbc || ((message[0] as number) & ~topMask) !== 0) return false
  const mask = await mgf1(algorithm, expected, masked.length, hash)
  const block = masked.map((byte, i) => byte ^ (mask[i] as number))
  block[0] = (block[0] as number) & topMask
  const saltStart = block.length - hashBytes
  if (block[saltStart - 1] !== 1 || block.subarray(0, saltStart - 1).some((byte) => byte !== 0)) return false
  const salted = concatBytes(new Uint8Array(8), digest, block.subarray(saltStart))
  return equalBytes(await hash(algorithm, salted), expected)
}

/** RFC 8017 appendix B.2.1. */
async function mgf1(
  algorithm: HashAlgorithm,
  seed: Uint8Array,
  length: number,
  hash: (algorithm: HashAlgorithm, data: Uint8Array) => Awaitable<Uint8Array>,
): Promise<Uint8Array> {
  const blocks: Uint8Array[] = []
  for (let i = 0; i * hashLength[algorithm] < length; i++) blocks.push(await hash(algorithm, concatBytes(seed, Uint8Array.of(0, 0, 0, i))))
  return concatBytes(...blocks).subarray(0, length)
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  let square = base
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytesToHex(bytes)}`)
}

function toBytes(value: bigint, length: number): Uint8Array {
  return hexToBytes(value.toString(16).padStart(2 * length, '0'))
}
