/** What a signer reads of its own identity token (OpenID Connect Core §2): nothing is verified, the certificate authority does that. */
import { CountersignError } from '@countersign/core/failure'
import type { JsonObject, JsonValue } from '@countersign/core/json/parse'
import { readClaims } from '../oidc/claims.ts'

/** An identity token, read. */
export type IdentityToken = {
  /** The token itself; a secret until it ends. */
  readonly token: string
  readonly issuer: string
  /** What the key signs to prove its possession: the e-mail address where the issuer verified it, else the subject. */
  readonly challenge: string
  /** Unix milliseconds. */
  readonly expiresAtMs: number
}

/** Reads a token. Throws `identity_token_malformed`, `identity_token_expired`; no message shows the token. */
export function readIdentityToken(token: string, nowMs: number): IdentityToken {
  const trimmed = token.trim()
  const claims = readClaims(trimmed)
  if (typeof claims === 'string') throw malformed(claims)
  const expiresAtMs = typeof claims['exp'] === 'number' ? claims['exp'] * 1000 : Number.NaN
  const issuer = claims['iss']
  const challenge = challengeIn(claims)
  if (Number.isNaN(expiresAtMs) || typeof issuer !== 'string' || challenge === undefined) {
    throw malformed('it lacks iss, exp, or a verified email or sub')
  }
  if (expiresAtMs <= nowMs) {
    throw new CountersignError('identity_token_expired', 'the identity token has ended', {
      expected: 'a token that is valid now',
      found: `one that ended ${new Date(expiresAtMs).toISOString()}`,
      hint: 'Fetch a new one; tokens for signing live minutes.',
    })
  }
  return { token: trimmed, issuer, challenge, expiresAtMs }
}

/** As stock clients choose: `email` where `email_verified` is true, also as text; else `sub`. */
function challengeIn(claims: JsonObject): string | undefined {
  const verified = claims['email_verified'] === true || claims['email_verified'] === 'true'
  const challenge: JsonValue | undefined = verified && typeof claims['email'] === 'string' ? claims['email'] : claims['sub']
  return typeof challenge === 'string' && challenge !== '' ? challenge : undefined
}

function malformed(detail: string): CountersignError {
  return new CountersignError('identity_token_malformed', `the identity token is no JSON web token of an identity: ${detail}`, {
    hint: 'Give a token from your identity provider, for the audience that the certificate authority demands (usually sigstore).',
  })
}
