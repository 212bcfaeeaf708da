/** Base64 of RFC 4648 §4, canonical: padded, no line breaks, unused bits zero. */
import { fromUtf8 } from './bytes.ts'
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

/** Bytes of canonical base64. Throws `base64_malformed` on anything that would not encode back to the same text. */
export function base64ToBytes(text: string): Uint8Array {
  const padded = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const bytes = new Uint8Array(Math.max(0, (text.length >> 2) * 3 - padded))
  if (text.length % 4 !== 0 || !decodeInto(bytes, text, text.length - padded)) {
    throw new CountersignError('base64_malformed', `${text.length} characters are not canonical base64 (RFC 4648 §4)`)
  }
  return bytes
}

/** Decodes the first `length` characters of the text itself, which is not encoded to bytes first; false when one is not of the alphabet, or a bit that no byte uses is set (RFC 4648 §3.5). */
function decodeInto(bytes: Uint8Array, text: string, length: number): boolean {
  const whole = length - (length % 4)
  let at = 0
  // What is not of the alphabet is remembered, not acted upon at once: one test at the end costs less than four for each group.
  let wrong = 0
  for (let i = 0; i < whole; i += 4) {
    const a = values[text.charCodeAt(i)] ?? noValue
    const b = values[text.charCodeAt(i + 1)] ?? noValue
    const c = values[text.charCodeAt(i + 2)] ?? noValue
    const d = values[text.charCodeAt(i + 3)] ?? noValue
    wrong |= a | b | c | d
    const group = (a << 18) | (b << 12) | (c << 6) | d
    bytes[at++] = group >> 16
    bytes[at++] = group >> 8
    bytes[at++] = group
  }
  if (whole < length) {
    const a = values[text.charCodeAt(whole)] ?? noValue
    const b = values[text.charCodeAt(whole + 1)] ?? noValue
    const c = whole + 2 < length ? (values[text.charCodeAt(whole + 2)] ?? noValue) : 0
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
