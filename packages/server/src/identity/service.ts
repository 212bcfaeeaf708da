/** The identity service: the OpenID provider of this installation under `/oidc`. */
import type Provider from 'oidc-provider'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { CountersignError } from '@countersign/core/failure'
import type { Service } from '../base/http/service.ts'
import type { KeyStore } from '../base/keys/role-key.ts'
import { createAttempts } from './accounts/attempts.ts'
import type { AccountPorts } from './accounts/accounts.ts'
import { type LoginPorts, sweepLoginLinks } from './accounts/login.ts'
import { findAccount } from './accounts/accounts.ts'
import { sweepProvider } from './provider/adapter.ts'
import { providerConfiguration } from './provider/configuration.ts'
import { cookieKeys, providerKeys } from './provider/keys.ts'
import { addIdentityRoutes } from './provider/routes.ts'
import { type Upstream, upstreamClient } from './provider/upstream.ts'
import { issueToken, tokenSeconds } from './token.ts'

/** What the service needs. */
export type IdentityOptions = AccountPorts &
  Pick<LoginPorts, 'secrets'> & {
    readonly keys: KeyStore
    /** Names of the RSA keys, the active one first; the others only verify. */
    readonly keyNames: readonly [string, ...string[]]
    /** `URL/oidc`. */
    readonly issuer: string
    readonly prefix: string
    readonly upstreams: readonly Upstream[]
    /** Told what went wrong where the caller learns nothing of it. */
    readonly failed?: (failure: unknown) => void
  }

const sweepMs = 10 * 60_000

/** Makes the service. The library is loaded only here: it is large, and an installation with its own provider does without. */
export async function identityService(options: IdentityOptions): Promise<Service> {
  const { database, clock, secrets, keys, keyNames, issuer, prefix, audit } = options
  const { default: Provider } = await import('oidc-provider')
  const provider = new Provider(
    issuer,
    providerConfiguration({
      database,
      secrets,
      clock,
      audit,
      prefix,
      keys: await providerKeys(keys, keyNames),
      cookieKeys: await cookieKeys(database, secrets),
      secureCookies: issuer.startsWith('https:'),
    }),
  )
  // The address of every request, and of whom it is from, is set to what is known before the library sees it.
  provider.proxy = true
  passOverUnknownSessions(provider)
  provider.on('server_error', (_, failure) => options.failed?.(failure))
  const key = await keys.open(keyNames[0])
  provider.registerGrantType('client_credentials', async (ctx: KoaContextWithOIDC) => {
    const account = await findAccount(database.raw, 'name', ctx.oidc.client?.clientId ?? '')
    if (account === undefined) throw new CountersignError('account_missing', 'no service account has this name')
    const token = await issueToken({ issuer, key, clock, audit }, account, { actor: account.name, from: ctx.ip })
    ctx.body = { access_token: token, id_token: token, token_type: 'Bearer', expires_in: tokenSeconds }
  })
  const login = { database, audit, clock, secrets, attempts: createAttempts(clock) }
  const sweep = async (): Promise<void> => {
    await sweepProvider(database.raw, clock)
    await sweepLoginLinks(database.raw, clock)
  }
  const sweeping = setInterval(() => void sweep().catch((failure: unknown) => options.failed?.(failure)), sweepMs)
  sweeping.unref()
  return {
    name: 'oidc',
    prefix,
    // Links that let somebody in, once.
    secretPaths: ['/welcome/'],
    routes: (app) => addIdentityRoutes(app, { provider, login, issuer, prefix, upstreams: options.upstreams.map(upstreamClient) }),
    close: async () => clearInterval(sweeping),
  }
}

/**
 * Hostile: a form of the device flow that was sent without having been shown belongs to no session. The library (9.x) answers it with the form
 * again, and then fails because it cannot keep a session that was never there; nothing needs to be kept.
 */
function passOverUnknownSessions(provider: Provider): void {
  const { prototype } = provider.Session
  const persist = Reflect.get<typeof prototype, 'persist'>(prototype, 'persist')
  prototype.persist = async function (this: typeof prototype) {
    return typeof this.exp === 'number' ? persist.call(this) : ''
  }
}
