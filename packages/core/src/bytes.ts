/** Strict encodings between bytes and text. Lenient decoding hides tampering: what would not encode back to the same text is refused. */
import { CountersignError } from './failure.ts'

const encoder = new TextEncoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text as UTF-8. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Writes a text that is ASCII to the beginning of `bytes`; false when a character is not, or `bytes` is too short, and then anything may be written. */
export function writeAscii(bytes: Uint8Array, text: string): boolean {
  const { read, written } = encoder.encodeInto(text, bytes)
  return read === text.length && written === text.length
}

/** UTF-8 as text; a byte order mark stays a character. Throws `utf8_malformed` on any invalid sequence. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes)
  } catch (cause) {
    throw new CountersignError('utf8_malformed', `${bytes.length} bytes are not valid UTF-8`, { cause })
  }
}

/** Lower-case hex. */
export function bytesToHex(bytes: Uint8Array): string {
  const digits = new Uint8Array(2 * bytes.length)
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number
    digits[2 * i] = hexDigit(byte >> 4)
    digits[2 * i + 1] = hexDigit(byte & 15)
  }
  return strictDecoder.decode(digits)
}

function hexDigit(value: number): number {
  return value + (value < 10 ? 0x30 : 0x57)
}

/** Bytes of lower-case hex. Throws `hex_malformed` on odd length, upper case or other characters. */
export function hexToBytes(hex: string): Uint8Array {
  if (hex.length % 2 !== 0 || !/^[0-9a-f]*$/.test(hex)) {
    throw new CountersignError('hex_malformed', `${hex.length} characters are not lower-case hex of even length`)
  }
  const bytes = new Uint8Array(hex.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

/** Joins byte strings. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  return joinBytes(parts)
}

/** Joins any number of byte strings; as arguments, a hundred thousand of them would overflow the stack. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/** Parts of a stream on their way to one byte string. */
export type ByteCollector = { readonly add: (part: Uint8Array) => void; readonly join: () => Uint8Array }

const tailBytes = 64 * 1024

/** Collects parts. Hostile: a sender may send single bytes, each of which would be an object of its own; small parts are copied together. */
export function collectBytes(): ByteCollector {
  const parts: Uint8Array[] = []
  let tail = new Uint8Array(0)
  let used = 0
  // Most bodies are one small part: the first tail is no larger than it, the next ones are, up to the bound.
  let next = 0
  const flush = (): void => {
    // A copy: a small part that is kept must not keep all of the tail.
    if (used > 0) parts.push(used === tail.length ? tail : tail.slice(0, used))
    tail = new Uint8Array(0)
    used = 0
  }
  return {
    add: (part) => {
      if (part.length >= tailBytes / 4) {
        flush()
        parts.push(part)
        return
      }
      if (used + part.length > tail.length) {
        flush()
        tail = new Uint8Array(Math.max(part.length, next))
        next = Math.min(tailBytes, Math.max(1024, 4 * tail.length))
      }
      tail.set(part, used)
      used += part.length
    },
    join: () => {
      flush()
      return parts.length === 1 ? (parts[0] as Uint8Array) : joinBytes(parts)
    },
  }
}

/** Whether two byte strings are equal. The time taken depends on the lengths alone. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}

/** Order of two byte strings as unsigned bytes, shorter first on a tie. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
