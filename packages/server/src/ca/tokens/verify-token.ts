/** Verifies identity tokens: of a configured issuer, for our audience, in their time, under a key that the issuer has. */
import { CountersignError } from '@countersign/core/failure'
import type { JsonObject, JsonValue } from '@countersign/core/json/parse'
import type { Primitives } from '@countersign/core/primitives'
import type { Clock } from '../../base/clock.ts'
import { findIssuer, type Issuer, type IssuerConfiguration } from '../issuers/model.ts'
import { isTokenAlgorithm, tokenAlgorithm } from './algorithms.ts'
import type { IssuerKeys, KeyRing } from './issuer-keys.ts'
import type { TokenKey } from './key-set.ts'
import { parseIdentityToken, type ParsedToken } from './parse-token.ts'

/** A token that holds. */
export type VerifiedToken = { readonly issuer: Issuer; readonly claims: JsonObject }

/**
 * Verifies one token. Rejects with `identity_token_malformed`, `identity_algorithm_refused`, `identity_issuer_unknown`,
 * `identity_audience_mismatch`, `identity_token_expired`, `identity_token_early`, `identity_issuer_unavailable`, `identity_key_unknown`,
 * `identity_signature_invalid` or `identity_claim_missing`; no message holds the token.
 */
export type TokenVerifier = (token: string) => Promise<VerifiedToken>

/** What a verifier works with. */
export type TokenVerifierParts = {
  readonly issuers: IssuerConfiguration
  readonly keys: IssuerKeys
  readonly primitives: Pick<Primitives, 'verify'>
  readonly now: Clock
}

/** By how much the clocks of issuers may be ahead of ours. Ours alone says when a token ends. */
const skewMs = 60_000
/** Keys that fit one token: of a set in which several have one name, or of a token that names none. */
const maxCandidates = 8

/** A verifier for these issuers. */
export function tokenVerifier(parts: TokenVerifierParts): TokenVerifier {
  return async (text) => {
    const token = parseIdentityToken(text)
    if (!isTokenAlgorithm(token.algorithm)) throw refusedAlgorithm()
    const issuer = issuerOf(parts.issuers, token.claims)
    checkAudience(issuer, token.claims['aud'])
    checkTimes(token.claims, parts.now())
    await checkSignature(parts, issuer, token)
    return { issuer, claims: token.claims }
  }
}

/** `iss` alone decides which issuer is asked, and only the configuration which issuers there are. */
function issuerOf(issuers: IssuerConfiguration, { iss }: JsonObject): Issuer {
  const issuer = typeof iss === 'string' ? findIssuer(issuers, iss) : undefined
  if (issuer !== undefined) return issuer
  throw new CountersignError('identity_issuer_unknown', 'the issuer of the identity token is not one that this authority trusts', {
    found: typeof iss === 'string' ? iss.slice(0, 200) : 'no issuer',
    hint: 'Ask for a token of an issuer that /api/v2/configuration lists.',
  })
}

/** Exactly ours and no other: a token for several could be presented here by any of them. */
function checkAudience({ audience }: Issuer, aud: JsonValue | undefined): void {
  const single = Array.isArray(aud) && aud.length === 1 ? (aud[0] as JsonValue) : aud
  if (single === audience) return
  const found =
    Array.isArray(aud) && aud.length > 1 ? `${aud.length} audiences` : typeof single === 'string' ? single.slice(0, 200) : 'none'
  throw new CountersignError('identity_audience_mismatch', 'the identity token is not for this authority', { expected: audience, found })
}

/** RFC 7519 §4.1.4 to §4.1.6: seconds, possibly with a fraction. */
function checkTimes(claims: JsonObject, now: number): void {
  const end = secondsOf(claims, 'exp')
  if (end === undefined) throw new CountersignError('identity_claim_missing', 'the identity token does not say when it ends (exp)')
  if (now >= end * 1000) {
    throw new CountersignError('identity_token_expired', 'the identity token has expired', { hint: 'Ask the issuer for a new one.' })
  }
  for (const name of ['nbf', 'iat']) {
    const start = secondsOf(claims, name)
    if (start !== undefined && now + skewMs < start * 1000) {
      throw new CountersignError('identity_token_early', `the identity token is not valid yet (${name})`, { hint: 'Compare the clocks.' })
    }
  }
}

function secondsOf(claims: JsonObject, name: string): number | undefined {
  const value = claims[name]
  if (value === undefined) return undefined
  if (typeof value === 'number' && value >= 0 && value < 1e11) return value
  throw new CountersignError('identity_token_malformed', `not an identity token: its ${name} is not a time in seconds`)
}

async function checkSignature({ keys, primitives }: TokenVerifierParts, issuer: Issuer, token: ParsedToken): Promise<void> {
  const ring = await keys.current(issuer)
  let candidates = candidatesOf(ring, token)
  if (candidates.length === 0) candidates = candidatesOf(await keys.renewed(issuer), token)
  if (candidates.length === 0) {
    throw new CountersignError('identity_key_unknown', 'the issuer has no key by the name in the identity token that fits its algorithm')
  }
  for (const { key } of candidates.slice(0, maxCandidates)) {
    const algorithm = tokenAlgorithm(token.algorithm, key)
    if (algorithm !== undefined && (await primitives.verify(algorithm, key, token.signed, token.signature))) return
  }
  throw new CountersignError('identity_signature_invalid', 'the signature of the identity token does not hold under the key of its issuer')
}

/** Keys of that name and kind. A token without a name is tried under all that fit; a named one never under a key of another name, or of none. */
function candidatesOf({ keys, algorithms }: KeyRing, token: ParsedToken): readonly TokenKey[] {
  if (algorithms !== undefined && !algorithms.has(token.algorithm)) throw refusedAlgorithm()
  return keys.filter(
    ({ id, algorithm, key }) =>
      (token.keyId === undefined || id === token.keyId) &&
      (algorithm === undefined || algorithm === token.algorithm) &&
      tokenAlgorithm(token.algorithm, key) !== undefined,
  )
}

function refusedAlgorithm(): CountersignError {
  return new CountersignError('identity_algorithm_refused', 'the identity token is signed with an algorithm that is not accepted', {
    expected: 'RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA, as the issuer announces',
  })
}
