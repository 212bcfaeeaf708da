/** Identity tokens of this installation (OpenID Connect Core §2), RS256: the only algorithm that cosign takes on its command line. */
import { randomBytes } from 'node:crypto'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { Audit } from '../base/audit/audit.ts'
import type { Clock } from '../base/clock.ts'
import type { RoleKey } from '../base/keys/role-key.ts'
import type { Account } from './accounts/account.ts'

/** What a token is made with. */
export type TokenPorts = {
  /** The provider's own name, `URL/oidc`. */
  readonly issuer: string
  /** RSA. */
  readonly key: RoleKey
  readonly clock: Clock
  readonly audit: Audit
}

/** Longest life of a token, as long as a certificate lives. */
export const tokenSeconds: number = 600

const audience = 'sigstore'

/**
 * The claims of an account. A local account has no claim by which certificates name another issuer: only a login through an upstream provider has.
 */
export function claimsOf(account: Account): Readonly<Record<string, unknown>> {
  return {
    email: account.email,
    email_verified: true,
    ...(account.kind === 'federated' && account.upstream !== undefined
      ? { federated_claims: { connector_id: account.upstream, user_id: account.id } }
      : {}),
  }
}

/** A token for signing as this account, for at most ten minutes; audited. Throws `account_disabled`. */
export async function issueToken(
  ports: TokenPorts,
  account: Account,
  by: { readonly actor: string; readonly from: string },
): Promise<string> {
  const { issuer, key, clock, audit } = ports
  if (account.disabledAt !== undefined) throw new CountersignError('account_disabled', `the account ${account.name} is disabled`)
  const issuedAt = Math.floor(clock() / 1000)
  const claims = { iss: issuer, sub: account.id, aud: audience, iat: issuedAt, nbf: issuedAt, exp: issuedAt + tokenSeconds }
  const head = encode({ alg: 'RS256', typ: 'JWT', kid: key.name })
  const body = encode({ ...claims, jti: randomBytes(16).toString('base64url'), ...claimsOf(account) })
  const signature = await key.sign(utf8(`${head}.${body}`))
  await recordToken(audit, account, by.from, by.actor)
  return `${head}.${body}.${Buffer.from(signature).toString('base64url')}`
}

/** Puts a token for an account on record. */
export async function recordToken(audit: Audit, { name }: Account, from: string, actor: string = name): Promise<void> {
  const detail = { audience, seconds: tokenSeconds }
  await audit.record({ action: 'identity.token_issued', actor, subject: name, from, outcome: 'done', detail })
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
