/** The claims of a JSON Web Token (RFC 7519 §3), read and not verified: that is for whom the token is made. */
import { base64UrlToBytes } from '@countersign/core/base64'
import { CountersignError } from '@countersign/core/failure'
import { parseJson, type JsonObject } from '@countersign/core/json/parse'

const maxCharacters = 16 * 1024

/** The claims of a compact JWS; in words what is wrong where there are none. No text shows anything of the token, of at most 16 Ki characters. */
export function readClaims(token: string): JsonObject | string {
  const parts = token.split('.')
  if (token.length > maxCharacters || parts.length !== 3) return `${token.length} characters in ${parts.length} parts`
  const [, claims = ''] = parts
  try {
    // RFC 7515 §2: base64url without its padding.
    const bytes = base64UrlToBytes(claims.includes('=') ? '*' : claims.padEnd(Math.ceil(claims.length / 4) * 4, '='))
    const value = parseJson(bytes, { maxBytes: maxCharacters })
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : 'its claims are no object'
  } catch (cause) {
    if (cause instanceof CountersignError) return 'its claims cannot be read'
    throw cause
  }
}
