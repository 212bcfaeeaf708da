/** Authorization code with PKCE (RFC 7636) and a loopback redirect (RFC 8252 §7.3): the person logs in in a browser on this machine. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CountersignError } from '@countersign/core/failure'
import { isLoopbackHost } from '../http/address.ts'
import type { HttpClient } from '../http/client.ts'
import { readClaims } from './claims.ts'
import { identityTokenIn, type OpenIdClient, type OpenIdProvider, postForm } from './provider.ts'

/** How the browser comes back. */
export type BrowserLogin = {
  /** Shows the address to the person, and may open it. */
  readonly open: (url: string) => void
  /** `http://localhost:PORT/PATH` where the provider knows only that one; default any port and `/auth/callback`. */
  readonly redirectUrl?: string
  /** Dex: which of its own sources to use. */
  readonly connectorId?: string
}

const callbackPath = '/auth/callback'
const scope = 'openid email'

/** Logs in. Throws `service_refused` for what the provider or the person refuses, `deadline_exceeded` when nobody comes back. */
export async function loginByBrowser(
  client: HttpClient,
  provider: OpenIdProvider,
  who: OpenIdClient,
  login: BrowserLogin,
): Promise<string> {
  const [state, nonce, verifier] = [secret(), secret(), secret()]
  const { createServer } = process.getBuiltinModule('node:http')
  const server = createServer()
  try {
    const redirect = await listen(server, login.redirectUrl)
    const url = demandPage(provider.authorizationEndpoint)
    const parameters = {
      response_type: 'code',
      client_id: who.id,
      redirect_uri: redirect.href,
      scope,
      state,
      nonce,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...(login.connectorId === undefined ? {} : { connector_id: login.connectorId }),
    }
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
    const coming = comeBack(server, redirect.pathname, state, client.deadline.signal)
    login.open(url.href)
    const form = { grant_type: 'authorization_code', code: await coming, redirect_uri: redirect.href, code_verifier: verifier }
    const token = identityTokenIn(await postForm(client, provider.tokenEndpoint, who, form))
    demandNonce(token, nonce)
    return token
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

/** Hostile: of a URL with another scheme (`file:`, `smb:`, one of an application) the system would open what handles that. */
function demandPage(text: string): URL {
  const url = URL.parse(text)
  const isPage = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname))
  if (url !== null && isPage && url.username === '' && url.password === '') return url
  throw new CountersignError(
    'service_response_malformed',
    'the page of the identity provider for logging in is none that a browser may open',
    {
      expected: 'an https URL, or http on loopback',
      found: JSON.stringify(text.slice(0, 120)),
    },
  )
}

function secret(): string {
  return randomBytes(32).toString('base64url')
}

/** Loopback only: the code must not reach another machine. */
async function listen(server: Server, named: string | undefined): Promise<URL> {
  const url = new URL(named ?? `http://localhost:0${callbackPath}`)
  if (url.protocol !== 'http:' || !['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)) {
    throw new CountersignError('usage', '--oidc-redirect-url does not lead to this machine', {
      expected: 'http://localhost:PORT/PATH',
      found: url.origin,
    })
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(Number(url.port), url.hostname === '[::1]' ? '::1' : '127.0.0.1', resolve)
  })
  url.port = String((server.address() as AddressInfo).port)
  return url
}

/** Waits for the redirect that carries our state; any other request (another site's guess) changes nothing. */
function comeBack(server: Server, path: string, state: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void =>
      reject(
        new CountersignError('deadline_exceeded', 'nobody logged in in time', {
          hint: 'Give more time with --timeout, or --identity-token.',
        }),
      )
    signal.addEventListener('abort', onAbort, { once: true })
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      // Hostile: any page and any program of this machine can ask here, also for `//`, which is no URL.
      const url = URL.parse(request.url ?? '/', 'http://localhost')
      const given = url?.searchParams.get('state') ?? ''
      if (request.method !== 'GET' || url?.pathname !== path || !sameText(given, state)) {
        response.writeHead(404, { connection: 'close' }).end()
        return
      }
      const code = url.searchParams.get('code')
      const refusal = url.searchParams.get('error')
      answerPerson(response, code !== null)
      signal.removeEventListener('abort', onAbort)
      if (code !== null) resolve(code)
      else reject(new CountersignError('service_refused', `the identity provider refused the login: ${printable(refusal ?? 'no code')}`))
    })
  })
}

const style =
  'body{font:16px/1.5 system-ui,sans-serif;color:#1b2430;background:#f4f6f8;margin:0}main{max-width:24rem;margin:10vh auto;padding:2rem;background:#fff;border:1px solid #d5dbe1;border-radius:.5rem}h1{font-size:1.25rem;margin:0 0 1rem}@media(prefers-color-scheme:dark){body{color:#e6ebf0;background:#12181f}main{background:#1b242e;border-color:#34414e}}'

function answerPerson(response: ServerResponse, ok: boolean): void {
  const [title, text] = ok
    ? ['You are logged in', 'You can close this page and go back to the terminal.']
    : ['The login failed', 'The terminal says why. You can close this page.']
  const head = {
    'content-type': 'text/html; charset=utf-8',
    connection: 'close',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
  }
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title} · Countersign</title><style>${style}</style><main><h1>${title}</h1><p>${text}</p></main></html>`
  response.writeHead(ok ? 200 : 400, head).end(page)
}

function sameText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}

function printable(text: string): string {
  return text.replace(/\p{C}+/gu, ' ').slice(0, 120)
}

/** OpenID Connect Core §3.1.3.7: a token that was made for another login is not for this one. */
function demandNonce(token: string, nonce: string): void {
  const claims = readClaims(token)
  const found = typeof claims === 'string' ? undefined : claims['nonce']
  if (found !== nonce)
    throw new CountersignError('service_response_malformed', 'the identity token is of another login: its nonce is not ours')
}
