/** Federation: people log in at a provider that the team has already, and its issuer stands in their certificates (OpenID Connect Core §3.1). */
import { createHash } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import * as client from 'openid-client'
import { hostOf, isLoopback } from '../../base/http/address.ts'
import { outgoingFetch, type ProxyEnvironment } from '../../base/http/outgoing.ts'
import type { Account } from '../accounts/account.ts'
import { type AccountPorts, createAccount, findFederated } from '../accounts/accounts.ts'

/** A provider that the operator trusts to say who somebody is. */
export type Upstream = {
  /** In addresses: a-z, 0-9, dash. */
  readonly name: string
  /** On the login page. */
  readonly title: string
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret?: string
  /** Addresses must end so, when any is given: `@example.org`. */
  readonly domains?: readonly string[]
}

/** What must be kept from leaving until coming back. */
export type UpstreamState = { readonly state: string; readonly nonce: string; readonly verifier: string }

/** A provider, discovered when it is first needed. */
export type UpstreamClient = {
  readonly upstream: Upstream
  /** Where to send the browser. `login` names the login that it is for: providers know one address to come back to, which must find it again. */
  readonly begin: (redirectUrl: string, login: string) => Promise<{ readonly url: string; readonly state: UpstreamState }>
  /** Who came back. Throws `login_refused` for whatever does not hold. */
  readonly finish: (callback: URL, state: UpstreamState) => Promise<UpstreamIdentity>
}

/** What the provider said. */
export type UpstreamIdentity = { readonly subject: string; readonly email: string }

const timeoutSeconds = 10

/** Makes the client of a provider, which is asked through the proxy of the environment. Plain http only on loopback. */
export function upstreamClient(upstream: Upstream, environment: ProxyEnvironment): UpstreamClient {
  let discovered: Promise<client.Configuration> | undefined
  const discover = (): Promise<client.Configuration> => {
    discovered ??= discoverUpstream(upstream, environment).catch((cause: unknown) => {
      discovered = undefined
      throw new CountersignError('login_refused', `${upstream.title} cannot be reached`, {
        cause,
        hint: 'Try again later, or log in otherwise.',
      })
    })
    return discovered
  }
  return {
    upstream,
    begin: async (redirectUrl, login) => {
      const state = { state: `${login}.${client.randomState()}`, nonce: client.randomNonce(), verifier: client.randomPKCECodeVerifier() }
      const url = client.buildAuthorizationUrl(await discover(), {
        redirect_uri: redirectUrl,
        scope: 'openid email',
        state: state.state,
        nonce: state.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(state.verifier),
        code_challenge_method: 'S256',
      })
      return { url: url.href, state }
    },
    finish: async (callback, { state, nonce, verifier }) => {
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true }
      const tokens = await client.authorizationCodeGrant(await discover(), callback, checks).catch((cause: unknown) => {
        throw new CountersignError('login_refused', `${upstream.title} did not confirm the login`, { cause })
      })
      return identityIn(upstream, tokens.claims() ?? {})
    },
  }
}

/** The login that a state is of; `undefined` for what is none of ours. It names a login and proves nothing: the state is compared there. */
export function loginOfState(state: string): string | undefined {
  return /^([A-Za-z0-9_-]{1,64})\.[A-Za-z0-9_-]{1,128}$/.exec(state)?.[1]
}

async function discoverUpstream(
  { issuer, clientId, clientSecret }: Upstream,
  environment: ProxyEnvironment,
): Promise<client.Configuration> {
  const url = new URL(issuer)
  const fetchThrough = outgoingFetch(environment)
  const loopback = url.protocol === 'http:' && isLoopback(hostOf(url))
  const through: client.CustomFetch = async (address, init) => fetchThrough(address, init as RequestInit)
  const options = {
    timeout: timeoutSeconds,
    [client.customFetch]: through,
    ...(loopback ? { execute: [client.allowInsecureRequests] } : {}),
  }
  return client.discovery(url, clientId, clientSecret, undefined, options)
}

/** Who somebody is by what the provider says of them. An address counts only when the provider verified it and the operator lets it speak for that domain. */
export function identityIn(
  { title, domains }: Pick<Upstream, 'title' | 'domains'>,
  claims: Readonly<Record<string, unknown>>,
): UpstreamIdentity {
  const { sub, email, email_verified: verified } = claims
  if (typeof sub !== 'string' || typeof email !== 'string' || (verified !== true && verified !== 'true')) {
    throw new CountersignError('login_refused', `${title} gives no verified e-mail address`, {
      hint: 'Have the address verified there.',
    })
  }
  if (domains !== undefined && !domains.some((domain) => email.toLowerCase().endsWith(endOfAddress(domain)))) {
    throw new CountersignError('login_refused', `${title} may not speak for this address`, { expected: domains.join(', ') })
  }
  return { subject: sub, email }
}

/** Hostile: `example.org` alone would be the end of `…@attackers-example.org` too. */
function endOfAddress(domain: string): string {
  return /^[@.]/.test(domain) ? domain.toLowerCase() : `@${domain.toLowerCase()}`
}

/**
 * The account of whoever came back, made at the first time; the login is on record. Throws `account_address_taken` when the address is another
 * account's, `login_refused` for an account that is disabled.
 */
export async function federatedAccount(
  ports: AccountPorts,
  upstream: Upstream,
  identity: UpstreamIdentity,
  from: string,
): Promise<Account> {
  const account = await knownOrNew(ports, upstream, identity, from)
  const { name, disabledAt } = account
  const record = { action: 'identity.login', actor: name, subject: name, from, detail: { by: 'upstream', upstream: upstream.issuer } }
  await ports.audit.record({ ...record, outcome: disabledAt === undefined ? 'done' : 'refused' })
  if (disabledAt === undefined) return account
  throw new CountersignError('login_refused', 'this account is disabled')
}

async function knownOrNew(ports: AccountPorts, { issuer }: Upstream, identity: UpstreamIdentity, from: string): Promise<Account> {
  const known = await findFederated(ports, issuer, identity.subject)
  if (known !== undefined) {
    // A renamed mailbox must not sign under a name that it no longer has.
    if (known.email !== identity.email) {
      throw new CountersignError('login_refused', `the address of this account has changed to ${identity.email}`, {
        hint: 'Have the old account disabled; an address belongs to one account for ever.',
      })
    }
    return known
  }
  const name = `upstream-${createHash('sha256').update(`${issuer} ${identity.subject}`).digest('hex').slice(0, 32)}`
  const account = { name, email: identity.email, kind: 'federated', upstream: { issuer, subject: identity.subject } } as const
  return createAccount(ports, account, { actor: issuer.slice(0, 200), from })
}
