/** Identity tokens: signed JWTs in compact form (RFC 7515 §3.1, RFC 7519), read strictly before anything in them is believed. */
import { base64UrlToBytes } from '@countersign/core/base64'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseJson, type JsonObject, type JsonValue } from '@countersign/core/json/parse'

/** A token, read. Nothing in it is verified. */
export type ParsedToken = {
  readonly algorithm: string
  readonly keyId: string | undefined
  readonly claims: JsonObject
  /** What the signature is over. */
  readonly signed: Uint8Array
  readonly signature: Uint8Array
}

const maxTokenCharacters = 16 * 1024
const limits = { maxBytes: maxTokenCharacters, maxDepth: 8, maxValues: 1000 }

/**
 * Reads a token. Keys that a header brings along (`jwk`, `jku`, `x5c`, `x5u`) are not looked at, and `crit` is refused.
 * Throws `identity_token_malformed`; no message holds any part of the token.
 */
export function parseIdentityToken(token: string): ParsedToken {
  if (token.length > maxTokenCharacters) throw malformed(`it is longer than ${maxTokenCharacters} characters`)
  const [header, payload, signature, more] = token.split('.')
  if (header === undefined || payload === undefined || signature === undefined || more !== undefined)
    throw malformed('it has not three parts')
  const fields = readObject(header, 'header')
  const { alg, kid, typ } = fields
  if (typeof alg !== 'string') throw malformed('its header names no algorithm')
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > 512)) throw malformed('its key identifier is not a short text')
  if (typ !== undefined && (typeof typ !== 'string' || !/^(?:application\/)?(?:jwt|at\+jwt)$/i.test(typ)))
    throw malformed('it is of another type')
  // RFC 7515 §4.1.11: what must be understood is not.
  if ('crit' in fields || 'b64' in fields || 'zip' in fields || 'enc' in fields) throw malformed('its header demands what is not supported')
  return {
    algorithm: alg,
    keyId: kid,
    claims: readObject(payload, 'payload'),
    signed: utf8(`${header}.${payload}`),
    signature: decode(signature, 'signature'),
  }
}

function readObject(part: string, what: string): JsonObject {
  let value: JsonValue
  try {
    value = parseJson(decode(part, what), limits)
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code === 'identity_token_malformed') throw cause
    // Hostile: of two members with one name, one reader takes the first and another the last. The cause stays out: it may quote the token.
    throw malformed(`its ${what} is not JSON that can be read in one way only (${cause.code})`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(`its ${what} is not an object`)
  return value as JsonObject
}

/** RFC 7515 §2: base64url without padding, and here without a second spelling. */
function decode(part: string, what: string): Uint8Array {
  if (part === '' || part.length % 4 === 1 || part.includes('=')) throw malformed(`its ${what} is not base64url`)
  try {
    return base64UrlToBytes(part + '='.repeat((4 - (part.length % 4)) % 4))
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw malformed(`its ${what} is not base64url`)
  }
}

function malformed(detail: string): CountersignError {
  return new CountersignError('identity_token_malformed', `not an identity token: ${detail}`)
}
