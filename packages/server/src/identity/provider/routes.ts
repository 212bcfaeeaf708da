/** The OpenID provider on the one port: the protocol is the library's, logging in is ours. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { CountersignError } from '@countersign/core/failure'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { bodyOf, takeBodies } from '../../base/http/request.ts'
import type { Account } from '../accounts/account.ts'
import { findAccount } from '../accounts/accounts.ts'
import { deviceCookies, rememberDevice } from '../accounts/known-device.ts'
import { accountOfLink, loginByLink, loginByPassword, type LoginPorts, setPassword } from '../accounts/login.ts'
import { signingClient } from './configuration.ts'
import type { LiveProvider } from './live.ts'
import { demandPassword } from '../accounts/password.ts'
import { loginPace, type Pace } from './pace.ts'
import { continuePage, loginPage, messagePage, pageHeaders, passwordSetPage, welcomePage } from './pages.ts'
import { federatedAccount, loginOfState, type UpstreamClient, type UpstreamState } from './upstream.ts'

/** What the routes need. */
export type RoutePorts = {
  readonly live: Pick<LiveProvider, 'provider' | 'handle'>
  readonly login: LoginPorts
  readonly upstreams: readonly UpstreamClient[]
  /** `URL/oidc`. */
  readonly issuer: string
  /** Path under which all this is mounted. */
  readonly prefix: string
}

/** Adds the routes. Paths that are not ours are the library's. */
export function addIdentityRoutes(app: FastifyInstance, ports: RoutePorts): void {
  takeBodies(app, maxFormBytes)
  addLogin(app, ports)
  addWelcome(app, ports)
  app.register(async (raw) => {
    // The library reads bodies itself.
    raw.removeAllContentTypeParsers()
    raw.addContentTypeParser('*', (_request, _payload, done) => done(null))
    const pace = loginPace(ports.login.clock)
    raw.all('/*', async (request, reply) => {
      if (await isFlood(request, reply, pace, ports.prefix)) return
      const native = forProvider(request, reply, ports)
      await ports.live.handle()(native.request, native.response)
    })
  })
}

/** Forms of stock clients have a few hundred bytes, and say how many. */
const maxFormBytes = 16_384

/** Answers what would only fill our storage, and is true then. */
async function isFlood(request: FastifyRequest, reply: FastifyReply, pace: Pace, prefix: string): Promise<boolean> {
  const { headers, url, ip } = request
  if (Number(headers['content-length'] ?? 0) > maxFormBytes) {
    await reply.code(413).header('connection', 'close').headers(pageHeaders).send(messagePage('Login failed', 'The form is too large.'))
    return true
  }
  // The library would read 56 KB before it says no.
  if (headers['transfer-encoding'] !== undefined) {
    await reply
      .code(411)
      .header('connection', 'close')
      .headers(pageHeaders)
      .send(messagePage('Login failed', 'The form does not say how long it is.'))
    return true
  }
  const [path] = url.slice(prefix.length).split('?')
  const waitSeconds = path === '/auth' || path === '/device/auth' ? pace(ip) : 0
  if (waitSeconds === 0) return false
  const refusal = { error: 'temporarily_unavailable', error_description: 'too many logins begin at this moment' }
  await reply.code(429).header('retry-after', waitSeconds).header('cache-control', 'no-store').send(refusal)
  return true
}

/** Hands a request over: the library builds addresses from the request, and must not believe what the caller says about the host or itself. */
function forProvider(
  request: FastifyRequest,
  reply: FastifyReply,
  { issuer, prefix }: RoutePorts,
): { request: IncomingMessage; response: ServerResponse } {
  reply.hijack()
  const native: IncomingMessage & { originalUrl?: string } = request.raw
  const url = new URL(issuer)
  native.headers['host'] = url.host
  native.headers['x-forwarded-proto'] = url.protocol.slice(0, -1)
  delete native.headers['x-forwarded-host']
  // Hostile: the library would write into the audit log whatever a caller says here.
  native.headers['x-forwarded-for'] = request.ip
  native.originalUrl = native.url ?? '/'
  native.url = native.originalUrl.slice(prefix.length) || '/'
  return { request: native, response: reply.raw }
}

type LoginParameters = { readonly Params: { readonly uid: string; readonly name: string } }

function addLogin(app: FastifyInstance, ports: RoutePorts): void {
  const { live, login, upstreams, prefix, issuer } = ports
  const show = async (request: FastifyRequest, reply: FastifyReply, problem?: string, name?: string): Promise<void> => {
    const details = await live.provider().interactionDetails(request.raw, reply.raw)
    const action = `${prefix}/login/${details.uid}`
    const known =
      details.prompt.name === 'consent' ? await findAccount(login.database.raw, 'id', details.session?.accountId ?? '') : undefined
    if (known !== undefined) return void (await reply.headers(pageHeaders).send(continuePage(action, known)))
    const offered = upstreams.map(({ upstream }) => ({ name: upstream.title, action: `${action}/upstream/${upstream.name}` }))
    const named = details.params['client_id']
    const client = named === signingClient ? 'cosign, gitsign or countersign' : typeof named === 'string' ? named : 'this installation'
    await reply
      .code(problem === undefined ? 200 : 400)
      .headers(pageHeaders)
      .send(
        loginPage({
          action,
          client,
          upstreams: offered,
          ...(problem === undefined ? {} : { problem }),
          ...(name === undefined ? {} : { name }),
        }),
      )
  }
  const finish = async (request: FastifyRequest, reply: FastifyReply, account: Account): Promise<void> => {
    // Whoever just logged in for this client has agreed to it too.
    const to = await live.provider().interactionResult(request.raw, reply.raw, { login: { accountId: account.id }, consent: {} })
    await reply.redirect(to, 303)
  }
  app.get('/login/:uid', async (request, reply) => show(request, reply))
  app.post('/login/:uid', async (request, reply) => {
    // Throws without the cookie of this login: nobody else's form gets here.
    const details = await live.provider().interactionDetails(request.raw, reply.raw)
    if (details.prompt.name === 'consent') {
      if (fieldsOf(request).get('logout') === 'yes') return logOut(reply, details, ports, request.ip)
      const to = await live.provider().interactionResult(request.raw, reply.raw, { consent: {} })
      return reply.redirect(to, 303)
    }
    const form = fieldsOf(request)
    const code = form.get('code') ?? ''
    const credentials = { name: form.get('name') ?? '', password: form.get('password') ?? '', ...(code === '' ? {} : { code }) }
    const account = await orProblem(loginByPassword(login, credentials, request.ip, deviceCookies(request.headers.cookie)))
    if (typeof account === 'string') return show(request, reply, account, credentials.name.slice(0, 64))
    reply.header('set-cookie', await rememberDevice(login, account.id, placeOf(ports)))
    return finish(request, reply, account)
  })
  app.get<LoginParameters>('/login/:uid/upstream/:name', async (request, reply) => {
    const details = await live.provider().interactionDetails(request.raw, reply.raw)
    const chosen = upstreams.find(({ upstream }) => upstream.name === request.params.name)
    if (chosen === undefined) throw new CountersignError('account_missing', 'there is no such provider to log in with')
    const { url, state } = await chosen.begin(`${issuer}/return/${chosen.upstream.name}`, details.uid)
    // Kept at the server, under the login that the cookie names.
    details.result = { ...details.result, upstream: { ...state, name: chosen.upstream.name } }
    await details.persist()
    await reply.redirect(url, 303)
  })
  // The one address that a provider knows. The cookie of a login is sent only below the login's own path.
  app.get<{ Params: { readonly name: string }; Querystring: { readonly state?: string } }>('/return/:name', async (request, reply) => {
    const { state } = request.query
    const uid = typeof state === 'string' ? loginOfState(state) : undefined
    if (uid === undefined || !upstreams.some(({ upstream }) => upstream.name === request.params.name))
      throw new CountersignError('login_refused', 'this login did not begin here')
    await reply.redirect(`${prefix}/login/${uid}/return/${request.params.name}${new URL(request.url, issuer).search}`, 303)
  })
  app.get<LoginParameters>('/login/:uid/return/:name', async (request, reply) => {
    const details = await live.provider().interactionDetails(request.raw, reply.raw)
    const chosen = upstreams.find(({ upstream }) => upstream.name === request.params.name)
    const state = details.result?.['upstream'] as (UpstreamState & { readonly name: string }) | undefined
    // Hostile: a mix-up (RFC 9207 §1), where one provider sends the person back as if another had been asked.
    if (chosen === undefined || state?.name !== chosen.upstream.name)
      throw new CountersignError('login_refused', 'this login did not begin here')
    // As the provider was told and sent the person to: what it is compared with.
    const callback = new URL(`${issuer}/return/${chosen.upstream.name}${new URL(request.url, issuer).search}`)
    const account = await orProblem(
      chosen.finish(callback, state).then(async (identity) => federatedAccount(login, chosen.upstream, identity, request.ip)),
    )
    if (typeof account === 'string') return show(request, reply, account)
    return finish(request, reply, account)
  })
}

const endedLink = 'It works once, and for 15 minutes. Ask whoever sent it for a new one.'

/** The page behind a login link: whoever holds it chooses the account's password. */
function addWelcome(app: FastifyInstance, ports: RoutePorts): void {
  const { login, prefix } = ports
  app.get<{ readonly Params: { readonly secret: string } }>('/welcome/:secret', async (request, reply) => {
    // Looked at, not spent: mail scanners and previews follow links too.
    const { secret } = request.params
    const account = await accountOfLink(login, secret)
    if (account === undefined) return reply.code(404).headers(pageHeaders).send(messagePage('This link has ended', endedLink))
    return reply.headers(pageHeaders).send(welcomePage(`${prefix}/welcome/${encodeURIComponent(secret)}`, account.name))
  })
  app.post<{ readonly Params: { readonly secret: string } }>('/welcome/:secret', async (request, reply) => {
    const { secret } = request.params
    const password = fieldsOf(request).get('password') ?? ''
    const known = await accountOfLink(login, secret)
    // Hostile: with a new link for each attempt, whoever got hold of one would have one for ever. It is spent by what can be a password.
    const problem = known === undefined ? known : await orProblem(acceptable(password, known))
    if (known !== undefined && typeof problem === 'string') {
      const page = welcomePage(`${prefix}/welcome/${encodeURIComponent(secret)}`, known.name, problem)
      return reply.code(400).headers(pageHeaders).send(page)
    }
    const account = await orProblem(loginByLink(login, secret, request.ip))
    if (typeof account === 'string') return reply.code(400).headers(pageHeaders).send(messagePage('That did not work', account))
    await setPassword(login, account, password, { actor: account.name, from: request.ip })
    reply.header('set-cookie', await rememberDevice(login, account.id, placeOf(ports)))
    return reply.headers(pageHeaders).send(passwordSetPage(account.name))
  })
}

async function acceptable(password: string, account: Account): Promise<Account> {
  demandPassword(password)
  return account
}

/** Where cookies of ours hold. */
function placeOf({ prefix, issuer }: RoutePorts): Parameters<typeof rememberDevice>[2] {
  return { path: prefix, secure: issuer.startsWith('https:') }
}

type LoginDetails = Awaited<ReturnType<ReturnType<LiveProvider['provider']>['interactionDetails']>>

/** Whoever shares a browser, or has several accounts, must be able to sign as the other. The command that asked gets no answer. */
async function logOut(reply: FastifyReply, details: LoginDetails, { live, login }: RoutePorts, from: string): Promise<void> {
  const { uid, accountId } = details.session ?? {}
  const session = uid === undefined ? undefined : await live.provider().Session.findByUid(uid)
  await session?.destroy()
  await details.destroy()
  const account = await findAccount(login.database.raw, 'id', accountId ?? '')
  const subject = account?.name ?? 'unknown'
  await login.audit.record({ action: 'identity.logout', actor: subject, subject, from, outcome: 'done', detail: {} })
  const next = 'To sign as somebody else, end the command in the terminal, start it again and log in.'
  await reply.headers(pageHeaders).send(messagePage('You are logged out', next))
}

function fieldsOf(request: FastifyRequest): URLSearchParams {
  return new URLSearchParams(new TextDecoder().decode(bodyOf(request)))
}

/** The value, or in words for people why not; anything unexpected stays a failure. */
async function orProblem(work: Promise<Account>): Promise<Account | string> {
  try {
    return await work
  } catch (failure) {
    if (!(failure instanceof CountersignError) || !/^(?:login_|account_)/.test(failure.code)) throw failure
    return failure.hint === undefined ? failure.message : `${failure.message}. ${failure.hint}`
  }
}
