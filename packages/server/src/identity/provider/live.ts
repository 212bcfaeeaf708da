/** The provider of the library while it runs: made anew when its keys are others. What it remembers is in the database, so nobody notices. */
import type Provider from 'oidc-provider'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { CountersignError } from '@countersign/core/failure'
import { findAccount } from '../accounts/accounts.ts'
import type { IdentityOptions } from '../service.ts'
import { issueToken, tokenSeconds } from '../token.ts'
import { providerConfiguration } from './configuration.ts'
import { cookieKeys, providerKeys } from './keys.ts'

/** The provider of this moment, and its answer to a request. */
export type LiveProvider = {
  readonly provider: () => Provider
  readonly handle: () => ReturnType<Provider['callback']>
  readonly close: () => void
}

type Opened = { readonly names: string; readonly provider: Provider; readonly handle: ReturnType<Provider['callback']> }

const keyPollMs = 2_000

/** Opens the provider, and watches which keys it shall have. Throws `key_missing`. */
export async function liveProvider(options: IdentityOptions): Promise<LiveProvider> {
  let opened = await open(options, await options.keyNames())
  const look = async (): Promise<void> => {
    const names = await options.keyNames()
    if (names.join() !== opened.names) opened = await open(options, names)
  }
  const timer = setInterval(() => void look().catch((failure: unknown) => options.failed?.(failure)), keyPollMs)
  timer.unref()
  return { provider: () => opened.provider, handle: () => opened.handle, close: () => clearInterval(timer) }
}

/** The library is loaded only here: it is large, and an installation with its own provider does without. */
async function open(options: IdentityOptions, names: readonly [string, ...string[]]): Promise<Opened> {
  const { database, clock, secrets, keys, issuer, prefix, audit } = options
  const { default: Provider } = await import('oidc-provider')
  const provider = new Provider(
    issuer,
    providerConfiguration({
      database,
      secrets,
      clock,
      audit,
      prefix,
      keys: await providerKeys(keys, names),
      cookieKeys: await cookieKeys(database, secrets),
      secureCookies: issuer.startsWith('https:'),
    }),
  )
  // The address of every request, and of whom it is from, is set to what is known before the library sees it.
  provider.proxy = true
  passOverUnknownSessions(provider)
  provider.on('server_error', (_, failure) => options.failed?.(failure))
  const key = await keys.open(names[0])
  provider.registerGrantType('client_credentials', async (ctx: KoaContextWithOIDC) => {
    const account = await findAccount(database.raw, 'name', ctx.oidc.client?.clientId ?? '')
    if (account === undefined) throw new CountersignError('account_missing', 'no service account has this name')
    const token = await issueToken({ issuer, key, clock, audit }, account, { actor: account.name, from: ctx.ip })
    ctx.body = { access_token: token, id_token: token, token_type: 'Bearer', expires_in: tokenSeconds }
  })
  return { names: names.join(), provider, handle: provider.callback() }
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
