/** Claims of a verified token, read with the failures that a client is told. */
import { CountersignError } from '@countersign/core/failure'
import type { JsonObject, JsonValue } from '@countersign/core/json/parse'
import { hasControls } from './url.ts'

/** Longest text that goes into a certificate. */
export const maxClaimCharacters = 2048

/** A claim that is text: not empty, not too long, no control characters. Fails with `identity_claim_missing` or `identity_claim_malformed`. */
export function textClaim(claims: JsonObject, name: string): string {
  const value = claims[name]
  if (value === undefined || value === null || value === '') throw claimMissing(name)
  if (typeof value !== 'string') throw claimMalformed(name, 'it is not a string')
  return soundText(value, name)
}

/** Text that may go into a certificate. `name` says where it came from. */
export function soundText(value: string, name: string): string {
  if (value.length > maxClaimCharacters) throw claimMalformed(name, `it is longer than ${maxClaimCharacters} characters`)
  // Hostile: a NUL or newline in a name makes two readers see two identities.
  if (!value.isWellFormed() || hasControls(value)) throw claimMalformed(name, 'it holds control characters')
  return value
}

/** Claims as templates see them: texts, booleans and whole numbers; all others are not there. */
export function templateValues(defaults: ReadonlyMap<string, string>, claims: JsonObject): ReadonlyMap<string, string> {
  const values = new Map(defaults)
  for (const [name, value] of Object.entries(claims)) {
    const text = plainText(value)
    if (text !== undefined) values.set(name, text)
  }
  return values
}

function plainText(value: JsonValue): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'boolean' || (typeof value === 'number' && Number.isSafeInteger(value)) ? String(value) : undefined
}

/** A claim that the issuer's kind needs and the token does not have. */
export function claimMissing(name: string): CountersignError {
  return new CountersignError('identity_claim_missing', `the identity token has no claim ${JSON.stringify(name.slice(0, 80))}`)
}

/** A claim that cannot become part of a certificate. Its value is not told: it may be long, or drive a terminal. */
export function claimMalformed(name: string, why: string): CountersignError {
  return new CountersignError('identity_claim_malformed', `the claim ${JSON.stringify(name.slice(0, 80))} cannot be used: ${why}`)
}
