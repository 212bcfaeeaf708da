/** The presentation language of TLS (RFC 5246 §4), as certificate transparency uses it: numbers big-endian, vectors behind their length. */
import { concatBytes } from './bytes.ts'
import type { CountersignError } from './failure.ts'

/** Reads one structure from its beginning to its end. */
export type TlsReader = {
  readonly take: (length: number) => Uint8Array
  /** A number of 1 to 8 bytes; above 2^53 it loses its last bits, and the caller must ask. */
  readonly uint: (length: number) => number
  /** opaque<0..2^(8n)-1>; `lengthBytes` is n, 2 unless given. */
  readonly vector: (lengthBytes?: number) => Uint8Array
  readonly atEnd: () => boolean
  /** Fails when bytes are left. */
  readonly end: () => void
}

/** A reader that fails with what `malformed` makes of a few words. */
export function tlsReader(bytes: Uint8Array, malformed: (detail: string) => CountersignError): TlsReader {
  let at = 0
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw malformed('it ends too early')
    at += length
    return bytes.subarray(at - length, at)
  }
  const uint = (length: number): number => {
    let value = 0
    for (const byte of take(length)) value = value * 256 + byte
    return value
  }
  const atEnd = (): boolean => at === bytes.length
  const end = (): void => {
    if (!atEnd()) throw malformed(`${bytes.length - at} bytes too many`)
  }
  return { take, uint, vector: (lengthBytes = 2) => take(uint(lengthBytes)), atEnd, end }
}

/** A number as `length` bytes, big-endian. */
export function tlsUint(value: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let rest = value
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return bytes
}

/** opaque<0..2^(8n)-1>: the bytes behind their length. */
export function tlsVector(bytes: Uint8Array, lengthBytes = 2): Uint8Array {
  return concatBytes(tlsUint(bytes.length, lengthBytes), bytes)
}
