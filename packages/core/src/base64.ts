/** Base64 of RFC 4648 §4, canonical: padded, no line breaks, unused bits zero. */
import { CountersignError } from './failure.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const chunk = 0x8000

/** Padded base64. */
export function bytesToBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let i = 0; i < bytes.length; i += chunk) binary += String.fromCharCode(...bytes.subarray(i, i + chunk))
  return btoa(binary)
}

/** Bytes of canonical base64. Throws `base64_malformed` on anything that would not encode back to the same text. */
export function base64ToBytes(text: string): Uint8Array {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text) || !unusedBitsAreZero(text)) {
    throw new CountersignError('base64_malformed', `${text.length} characters are not canonical base64 (RFC 4648 §4)`)
  }
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}

/** Bytes of canonical, padded base64url (RFC 4648 §5). Throws `base64_malformed`, also when characters of the other alphabet occur. */
export function base64UrlToBytes(text: string): Uint8Array {
  if (/[+/]/.test(text)) throw new CountersignError('base64_malformed', 'both base64 alphabets in one text (RFC 4648 §5)')
  return base64ToBytes(text.replaceAll('-', '+').replaceAll('_', '/'))
}

/** RFC 4648 §3.5: bits that no byte uses could carry a second spelling of the same bytes. */
function unusedBitsAreZero(text: string): boolean {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  if (padding === 0) return true
  const last = alphabet.indexOf(text.charAt(text.length - padding - 1))
  return padding === 2 ? (last & 0b1111) === 0 : (last & 0b11) === 0
}
