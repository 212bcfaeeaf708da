/** How the OpenID provider behaves: what stock clients of Sigstore need, and nothing else. */
import type { AccountClaims, Configuration, JWK, KoaContextWithOIDC } from 'oidc-provider'
import type { Audit } from '../../base/audit/audit.ts'
import type { Database } from '../../base/database/database.ts'
import type { Clock } from '../../base/clock.ts'
import type { SecretBox } from '../../base/keys/role-key.ts'
import type { Account } from '../accounts/account.ts'
import { findAccount } from '../accounts/accounts.ts'
import { serviceCredentials } from '../accounts/service-secret.ts'
import { claimsOf, recordToken, tokenSeconds } from '../token.ts'
import { type ClientFinder, databaseAdapter } from './adapter.ts'
import { messagePage, page, pageHeaders } from './pages.ts'

/** What the provider is made of. */
export type ProviderParts = {
  readonly database: Database
  readonly secrets: SecretBox
  readonly clock: Clock
  readonly audit: Audit
  /** Private RSA keys, the active one first. */
  readonly keys: readonly JWK[]
  /** Signs cookies; random, kept by the installation. */
  readonly cookieKeys: readonly string[]
  /** Path under which the provider is mounted. */
  readonly prefix: string
  readonly secureCookies: boolean
}

/** The client that every signing tool is by default. Public: whoever intercepts its code has not its verifier (RFC 7636). */
export const signingClient = 'sigstore'

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code'
const codeSeconds = 60
const deviceSeconds = 600
const sessionSeconds = 8 * 3600

/** The configuration. */
export function providerConfiguration(parts: ProviderParts): Configuration {
  const { database, secrets, clock, audit, keys, cookieKeys, prefix, secureCookies } = parts
  const cookie = { httpOnly: true, sameSite: 'lax', secure: secureCookies, signed: true } as const
  const findClient: ClientFinder = async (id) => {
    const service = await serviceCredentials(database.raw, secrets, id)
    return service === undefined
      ? undefined
      : { client_id: id, client_secret: service.secret, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }
  }
  const usable = async (id: string): Promise<Account | undefined> => {
    const account = await findAccount(database.raw, 'id', id)
    return account?.disabledAt === undefined ? account : undefined
  }
  return {
    adapter: databaseAdapter({ statements: database.raw, clock, secrets, findClient }),
    clients: [
      {
        client_id: signingClient,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', deviceGrant],
        response_types: ['code'],
        // RFC 8252 §7.3: of loopback redirects the port does not count.
        redirect_uris: ['http://localhost/auth/callback', 'http://127.0.0.1/auth/callback', 'http://[::1]/auth/callback'],
        id_token_signed_response_alg: 'RS256',
      },
    ],
    jwks: { keys: [...keys] },
    cookies: {
      keys: [...cookieKeys],
      long: cookie,
      short: cookie,
      names: { session: 'countersign_session', interaction: 'countersign_login', resume: 'countersign_resume' },
    },
    scopes: ['openid', 'email'],
    claims: { openid: ['sub', 'federated_claims'], email: ['email', 'email_verified'] },
    // cosign reads the address from the identity token and asks no other endpoint for it.
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    pkce: { required: () => true },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    enabledJWA: { idTokenSigningAlgValues: ['RS256'] },
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true, charset: 'base-20', mask: '****-****', ...devicePages },
      clientCredentials: { enabled: false },
      resourceIndicators: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      dPoP: { enabled: false },
    },
    ttl: {
      AccessToken: tokenSeconds,
      AuthorizationCode: codeSeconds,
      DeviceCode: deviceSeconds,
      IdToken: tokenSeconds,
      Interaction: deviceSeconds,
      Session: sessionSeconds,
      Grant: sessionSeconds,
    },
    interactions: { url: (_ctx, interaction) => `${prefix}/login/${interaction.uid}` },
    findAccount: async (ctx, id) => {
      const account = await usable(id)
      if (account === undefined) return undefined
      const claims = async (use: string): Promise<AccountClaims> => {
        // On record before it leaves: also where a session of hours ago was enough for it.
        if (use === 'id_token') await recordToken(audit, account, ctx.ip)
        return { sub: id, ...claimsOf(account), email: account.email }
      }
      return { accountId: id, claims }
    },
    loadExistingGrant: grantOwnClient,
    renderError: async (ctx, out) => {
      ctx.set({ ...pageHeaders })
      ctx.body = messagePage('Login failed', out.error_description ?? out.error)
    },
  }
}

/** The client is our own: there is nothing to consent to beyond logging in. */
async function grantOwnClient(ctx: KoaContextWithOIDC): Promise<InstanceType<typeof ctx.oidc.provider.Grant> | undefined> {
  const { client, session, provider, result } = ctx.oidc
  if (client === undefined || session?.accountId === undefined) return undefined
  const known = result?.consent?.grantId ?? session.grantIdFor(client.clientId)
  const existing = known === undefined ? undefined : await provider.Grant.find(known)
  if (existing !== undefined) return existing
  if (client.clientId !== signingClient) return undefined
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
  grant.addOIDCScope('openid email')
  await grant.save()
  return grant
}

/** The input of the library's form has no name for who does not see it, and a script that our pages do not run. */
function labelled(form: string): string {
  return form
    .replace('name="user_code"', 'id="user_code" name="user_code" autocapitalize="characters" spellcheck="false" required')
    .replace(/ (?:placeholder|onfocus)="[^"]*"/g, '')
}

/** The forms are the provider's own HTML; around them stands ours. */
const devicePages = {
  userCodeInputSource: async (ctx: KoaContextWithOIDC, form: string, _out?: unknown, failure?: unknown): Promise<void> => {
    const problem =
      failure === undefined ? '' : '<p class="problem" role="alert">That code is wrong or has ended. Look at the terminal.</p>'
    ctx.set({ ...pageHeaders })
    ctx.body = page(
      'Log in by code',
      `${problem}<p>Enter the code that your terminal shows.</p><label for="user_code">Code</label>${labelled(form)}<button type="submit" form="op.deviceInputForm">Continue</button>`,
    )
  },
  userCodeConfirmSource: async (
    ctx: KoaContextWithOIDC,
    form: string,
    _client: unknown,
    _device: unknown,
    userCode: string,
  ): Promise<void> => {
    ctx.set({ ...pageHeaders })
    // The button has no focus: a page that opens this one under a key that is held down would have its own device logged in.
    ctx.body = page(
      'Is this your code?',
      `<p>Your terminal must show exactly this code. If somebody else sent it to you, close this page: they would sign in your name.</p>
<p><code>${userCode.replace(/[^A-Z0-9-]/g, '')}</code></p>${form}<button type="submit" form="op.deviceConfirmForm">Yes, log in</button>`,
    )
  },
  successSource: async (ctx: KoaContextWithOIDC): Promise<void> => {
    ctx.set({ ...pageHeaders })
    ctx.body = messagePage('You are logged in', 'You can close this page and go back to the terminal.')
  },
}
