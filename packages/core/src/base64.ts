/** Base64 of RFC 4648 §4, canonical: padded, no line breaks, unused bits zero. */
import { fromUtf8, writeAscii } from './bytes.ts'
import { CountersignError } from './failure.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const padding = 0x3d
/** Character codes by value, and values by byte; `noValue` is none. */
const noValue = 64
const letters = Uint8Array.from(alphabet, (letter) => letter.charCodeAt(0))
const values = Uint8Array.from({ length: 256 }, (_, code) => (letters.includes(code) ? letters.indexOf(code) : noValue))

/** Padded base64. */
export function bytesToBase64(bytes: Uint8Array): string {
  const text = new Uint8Array(Math.ceil(bytes.length / 3) * 4)
  const whole = bytes.length - (bytes.length % 3)
  let at = 0
  for (let i = 0; i < whole; i += 3) {
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] as number) << 8) | (bytes[i + 2] as number)
    text[at++] = letters[group >> 18] as number
    text[at++] = letters[(group >> 12) & 63] as number
    text[at++] = letters[(group >> 6) & 63] as number
    text[at++] = letters[group & 63] as number
  }
  if (whole < bytes.length) {
    const group = ((bytes[whole] as number) << 16) | ((bytes[whole + 1] ?? 0) << 8)
    text[at++] = letters[group >> 18] as number
    text[at++] = letters[(group >> 12) & 63] as number
    text[at++] = whole + 1 < bytes.length ? (letters[(group >> 6) & 63] as number) : padding
    text[at++] = padding
  }
  return fromUtf8(text)
}

/** Padded base64 of UTF-8, which is nearly always ASCII: that the platform encodes by itself. Throws `utf8_malformed`. */
export function textToBase64(bytes: Uint8Array): string {
  const text = fromUtf8(bytes)
  return text.length === bytes.length ? btoa(text) : bytesToBase64(bytes)
}

/** Characters from which on the platform is asked first: it has shorter texts no sooner than the loop. */
const longText = 256
/** Characters on their way to bytes: as bytes they are read in half the time. So many at once, so that little of a large text is there twice. */
const scratch = new Uint8Array(16 * 1024)

/** Bytes of canonical base64. Throws `base64_malformed` on anything that would not encode back to the same text. */
export function base64ToBytes(text: string): Uint8Array {
  const padded = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const bytes = new Uint8Array(Math.max(0, (text.length >> 2) * 3 - padded))
  if (text.length % 4 !== 0 || !(decodeAscii(bytes, text, text.length - padded) || decodeInto(bytes, text, text.length - padded))) {
    throw new CountersignError('base64_malformed', `${text.length} characters are not canonical base64 (RFC 4648 §4)`)
  }
  return bytes
}

/**
 * Decodes what begins like ASCII, as certificates in PEM and bodies of log entries do, and is it throughout; false for everything else, of
 * which {@link decodeInto} decides. `atob` forgives (WHATWG Infra, "forgiving-base64 decode"): blanks and missing padding, which make fewer
 * bytes, and bits that no byte uses, so that the end is decoded here.
 */
function decodeAscii(bytes: Uint8Array, text: string, length: number): boolean {
  if (text.length < longText || !beginsAscii(text)) return false
  const end = text.length - 4
  const tail = bytes.subarray((end / 4) * 3)
  if (!decodeInto(tail, text.slice(end), length - end)) return false
  let at = 0
  for (let start = 0; start < end; start += scratch.length) {
    const part = binaryOf(text.slice(start, Math.min(start + scratch.length, end)))
    if (part === undefined || !writeAscii(bytes.subarray(at), part)) return false
    at += part.length
  }
  return at + tail.length === bytes.length
}

function beginsAscii(text: string): boolean {
  const first = new Uint8Array(3)
  return decodeInto(first, text.slice(0, 4), 4) && first.every((byte) => byte < 0x80)
}

/** One character for each byte; `undefined` when it is no base64 even to one who forgives. */
function binaryOf(text: string): string | undefined {
  try {
    return atob(text)
  } catch {
    // An `InvalidCharacterError`, and nothing else, says so.
    return undefined
  }
}

/** Decodes the first `length` characters; false when one is not of the alphabet, or a bit that no byte uses is set (RFC 4648 §3.5). */
function decodeInto(bytes: Uint8Array, text: string, length: number): boolean {
  let right = true
  for (let start = 0; right && start < length; start += scratch.length) {
    const part = text.slice(start, Math.min(start + scratch.length, length))
    right = writeAscii(scratch, part) && decodePart(bytes, (start / 4) * 3, part.length)
    // It may have been of a private key.
    scratch.fill(0, 0, part.length)
  }
  return right
}

/** Decodes the first `length` characters in `scratch` to the bytes from `at` on. */
function decodePart(bytes: Uint8Array, start: number, length: number): boolean {
  const whole = length - (length % 4)
  let at = start
  // What is not of the alphabet is remembered, not acted upon at once: one test at the end costs less than four for each group.
  let wrong = 0
  for (let i = 0; i < whole; i += 4) {
    const a = values[scratch[i] as number] as number
    const b = values[scratch[i + 1] as number] as number
    const c = values[scratch[i + 2] as number] as number
    const d = values[scratch[i + 3] as number] as number
    wrong |= a | b | c | d
    bytes[at] = (a << 2) | (b >> 4)
    bytes[at + 1] = (b << 4) | (c >> 2)
    bytes[at + 2] = (c << 6) | d
    at += 3
  }
  if (whole < length) {
    const a = values[scratch[whole] as number] as number
    const b = whole + 1 < length ? (values[scratch[whole + 1] as number] as number) : noValue
    const c = whole + 2 < length ? (values[scratch[whole + 2] as number] as number) : 0
    // Two or three characters stand for one or two bytes; other bits than theirs could carry a second spelling of the same bytes.
    wrong |= a | b | c | ((length - whole === 2 ? b & 0b1111 : c & 0b11) === 0 ? 0 : noValue)
    bytes[at++] = (a << 2) | (b >> 4)
    if (whole + 2 < length) bytes[at] = (b << 4) | (c >> 2)
  }
  return wrong < noValue
}

/** Bytes of canonical, padded base64url (RFC 4648 §5). Throws `base64_malformed`, also when characters of the other alphabet occur. */
export function base64UrlToBytes(text: string): Uint8Array {
  if (/[+/]/.test(text)) throw new CountersignError('base64_malformed', 'both base64 alphabets in one text (RFC 4648 §5)')
  return base64ToBytes(text.replaceAll('-', '+').replaceAll('_', '/'))
}
