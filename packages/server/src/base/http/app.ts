/** The Fastify instance that all services share: what holds for every request, whoever answers it. */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { fastify, type FastifyInstance, LogController } from 'fastify'
import { type Answering, answeringWithin } from './answering.ts'
import { crowdFirst } from './crowd.ts'
import { addHealth } from './health.ts'
import type { hostGuard } from './host-guard.ts'
import { knownPaths } from './known-paths.ts'
import { leavingTogether } from './leaving.ts'
import { loggerOptions, type LogTarget } from './log.ts'
import { addMetrics } from './metrics.ts'
import { problemOf, sendProblem } from './problem.ts'
import { receivingWithin } from './receiving.ts'
import { wellFormedRequestId } from './request.ts'
import type { EarlyRefusal, Service } from './service.ts'
import type { TlsContext } from './tls.ts'

/** Bounds on what one caller can take. */
export type HttpLimits = {
  readonly bodyBytes: number
  readonly headersMs: number
  /** To receive a whole request. */
  readonly requestMs: number
  /** An idle connection is closed after this. */
  readonly idleMs: number
  readonly connections: number
  /** Of great bodies that arrive together. */
  readonly receivedBytes: number
  /** Of great answers that are on their way together. */
  readonly answeredBytes: number
}

/** 4 MiB are what the reference's certificate authority takes. */
export const defaultHttpLimits: HttpLimits = {
  bodyBytes: 4 * 1024 * 1024,
  headersMs: 15_000,
  requestMs: 60_000,
  idleMs: 65_000,
  connections: 10_000,
  receivedBytes: 256 * 1024 * 1024,
  answeredBytes: 512 * 1024 * 1024,
}

/** What the instance is made from. */
export type AppOptions = {
  readonly limits: HttpLimits
  readonly log: LogTarget
  readonly tls?: TlsContext
  /** Addresses of proxies whose `X-Forwarded-For` is believed; none by default. */
  readonly trustedProxies: readonly string[]
}

/** An instance without routes. `servers` are its sockets, once it listens. */
export type App = {
  readonly fastify: FastifyInstance
  readonly servers: readonly Server[]
  readonly door: Door
  readonly answering: Answering
}

/** What stands before the instance: refusals that must cost nothing. */
export type Door = { refuse: NonNullable<Service['refuseAtOnce']> }

/** Makes the instance: limits, request ids, logs, bodies as bytes. */
export function createApp({ limits, log, tls, trustedProxies }: AppOptions): App {
  const servers: Server[] = []
  const door: Door = { refuse: () => undefined }
  const refuseSlowly = slowRefusals()
  const receiving = receivingWithin(limits.receivedBytes)
  const app = fastify({
    logger: loggerOptions(log),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request' }),
    genReqId: (request) => wellFormedRequestId(request.headers['x-request-id']) ?? randomUUID(),
    requestIdHeader: false,
    bodyLimit: limits.bodyBytes,
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    // Who is answered on an open connection while the process stops is answered in full.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // The longest names in paths are those of consistent TUF targets and of log entries.
    routerOptions: { maxParamLength: 1024 },
    frameworkErrors: (failure, request, reply) => void sendProblem(request, reply, problemOf(failure)),
    serverFactory: (instance) => {
      const handler: RequestListener = (request, response) => {
        if (!hasOneHost(request)) return void response.writeHead(400, { connection: 'close', 'content-length': 0 }).end()
        const refusal = door.refuse(request.method ?? '', request.url ?? '') ?? (receiving(request, response) ? undefined : noRoom)
        if (refusal === undefined) return enter(() => instance(request, response))
        refuseSlowly(response, refusal)
      }
      // How often Node looks for requests that take too long.
      const looking = { connectionsCheckingInterval: Math.min(5000, limits.headersMs) }
      const server = tls === undefined ? createServer(looking, handler) : (createTlsServer({ ...tls, ...looking }, handler) as Server)
      const enter = crowdFirst(server)
      server.headersTimeout = limits.headersMs
      server.requestTimeout = limits.requestMs
      server.keepAliveTimeout = limits.idleMs
      // Nothing came or went: hostile readers would hold their answers in our memory for ever. Longer than anything here takes to answer.
      server.timeout = Math.max(limits.requestMs, limits.idleMs)
      server.maxConnections = limits.connections
      servers.push(server)
      return server
    },
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  return { fastify: app, servers, door, answering: answeringWithin(limits.answeredBytes) }
}

/** RFC 9112 §3.2. Hostile: of two names one would be judged here, and the other by a proxy before us. */
function hasOneHost({ rawHeaders, headers, url = '' }: IncomingMessage): boolean {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  // A target that names a host names the same one (§3.2.2).
  const isPath = url.startsWith('/') || url === '*'
  return hosts <= 1 && !/[\s/?#@\\"<>]/.test(headers.host ?? '') && (isPath || URL.parse(url)?.host === headers.host)
}

/** Adds what holds for every route, then the services under their prefixes. `meantForUs` judges the header `Host`. To be called once. */
export async function mountServices(
  { fastify: app, answering }: Pick<App, 'fastify' | 'answering'>,
  services: readonly Service[],
  draining: () => boolean,
  meantForUs: ReturnType<typeof hostGuard> = () => true,
): Promise<void> {
  const paths = knownPaths()
  const leaveTogether = leavingTogether()
  const secretPaths = services.flatMap(({ prefix, secretPaths: own = [] }) => own.map((path) => `${prefix}${path}`))
  app.addHook('onRoute', ({ method, url }) => paths.add(url, [method].flat()))
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff')
    if (meantForUs(request.headers.host)) return done()
    void sendProblem(request, reply, { status: 421, code: 'misdirected_request', detail: 'no service of this name is here' })
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    // Otherwise the connection would stay open, and the process with it, until it has been idle for long enough.
    if (draining()) reply.header('connection', 'close')
    const fits = answering(reply.raw, payload)
    if (!fits) reply.code(noRoom.status).removeHeader('content-length').headers(noRoom.headers)
    leaveTogether(() => done(null, fits ? payload : noRoom.body))
  })
  app.addHook('onResponse', (request, reply, done) => {
    const fields = {
      method: request.method,
      path: loggedPath(request.originalUrl, secretPaths),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      from: request.ip,
    }
    request.log.info(fields, 'request')
    done()
  })
  app.setErrorHandler(async (failure, request, reply) => {
    const problem = problemOf(failure)
    if (problem.status >= 500) request.log.error({ err: failure }, 'request failed')
    await sendProblem(request, reply, problem)
  })
  app.setNotFoundHandler(async (request, reply) => {
    const methods = paths.methodsOf(pathOf(request.url))
    if (methods.length === 0)
      return sendProblem(request, reply, { status: 404, code: 'not_found', detail: 'there is nothing under this path' })
    reply.header('allow', methods.join(', '))
    const detail = `this path takes ${methods.join(', ')}`
    return sendProblem(request, reply, { status: 405, code: 'method_not_allowed', detail })
  })
  const front = services.find((service) => service.front)
  if (front !== undefined) app.get('/', async (_request, reply) => reply.header('cache-control', 'no-store').redirect(front.prefix, 302))
  addMetrics(app, services)
  addHealth(app, services, draining)
  for (const service of services) {
    await app.register(async (child) => service.routes(child), service.prefix === '' ? {} : { prefix: service.prefix })
  }
}

/** Hostile: who reads logs, of this process or of what collects them, must not get in by a link that they find there. */
function loggedPath(url: string, secretPaths: readonly string[]): string {
  const path = pathOf(url)
  // However it is written: the router reads it so, and a link that somebody mistyped holds the same secret.
  const plain = path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))).toLowerCase()
  const secret = secretPaths.find((begin) => plain.includes(begin))
  return secret === undefined ? path : `${secret}…`
}

/** Without the query, which may hold codes and tokens. */
function pathOf(url: string): string {
  const end = url.indexOf('?')
  return (end < 0 ? url : url.slice(0, end)).slice(0, 1024)
}

/** The answer where the memory for bodies or answers of others is in use. */
const noRoom: EarlyRefusal = {
  status: 503,
  headers: { 'retry-after': '1', 'cache-control': 'no-store', 'content-type': 'application/problem+json' },
  body: JSON.stringify({ type: 'about:blank', title: 'overloaded', status: 503, detail: 'too much is on its way at this moment' }),
}

const [heldMs, mostHeld] = [1000, 16_384]

/**
 * Hostile: clients that come back at once would leave no time for those who were let in. Their answer takes the second that it tells them to wait;
 * beyond so many that memory would be the next thing to run out, it leaves at once.
 */
function slowRefusals(): (response: ServerResponse, refusal: EarlyRefusal) => void {
  let held = 0
  return (response, { status, headers, body }) => {
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
    held++
    const answer = (): void => {
      held--
      response.end(body)
    }
    if (held > mostHeld) answer()
    else setTimeout(answer, heldMs)
  }
}

/** The refusals of all services, each for its own paths. */
export function refusalsOf(services: readonly Service[]): Door['refuse'] {
  const asked = services.flatMap(({ refuseAtOnce }) => (refuseAtOnce === undefined ? [] : [refuseAtOnce]))
  return (method, url) => {
    for (const refuse of asked) {
      const refusal = refuse(method, url)
      if (refusal !== undefined) return refusal
    }
    return undefined
  }
}
