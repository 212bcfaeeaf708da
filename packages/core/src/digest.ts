/** Content digests as OCI writes them: `algorithm:hex` (OCI image-spec, descriptor.md, "Digests"). */
import { bytesToHex, hexToBytes } from './bytes.ts'

/** The hash functions that any part of the platform accepts. SHA-1 and MD5 are not among them. */
export type HashAlgorithm = 'sha256' | 'sha384' | 'sha512'

/** A digest in OCI notation, checked: algorithm, colon, lower-case hex of the right length. */
export type Digest = string & { readonly __brand: 'Digest' }

/** Output length of each hash function in bytes. */
export const hashLength: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha384: 48, sha512: 64 }

const pattern = /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/

/** Reads a digest; `undefined` when the text is not one (upper-case hex, unknown algorithm, wrong length). */
export function parseDigest(text: string): Digest | undefined {
  return pattern.test(text) ? (text as Digest) : undefined
}

/** Names the algorithm of a digest. */
export function digestAlgorithm(digest: Digest): HashAlgorithm {
  return digest.slice(0, 6) as HashAlgorithm
}

/** The hex part of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice(7)
}

/** The raw bytes of a digest. */
export function digestBytes(digest: Digest): Uint8Array {
  return hexToBytes(digestHex(digest))
}

/** Makes a digest from the raw output of a hash function; `undefined` when the length is not that of the algorithm. */
export function digestFromBytes(algorithm: HashAlgorithm, bytes: Uint8Array): Digest | undefined {
  return bytes.length === hashLength[algorithm] ? (`${algorithm}:${bytesToHex(bytes)}` as Digest) : undefined
}
