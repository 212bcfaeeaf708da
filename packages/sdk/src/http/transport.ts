/** The transport port over `node:http` and `node:https`: one keep-alive pool, proxies, TLS 1.2 and later, bounded heads. */
import type * as HttpModule from 'node:http'
import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { AgentOptions } from 'node:https'
import { CountersignError } from '@countersign/core/failure'
import { classifyAddress, isLoopbackHost, literalClass, type AddressClass } from './address.ts'
import { guardedLookup, guardLiteral, notingLookup } from './lookup.ts'
import { contentLength, type HttpRequest, type HttpResponse, type Transport } from './message.ts'
import { onAbort } from './on-abort.ts'
import { partsOf } from './parts.ts'
import { redactUrl } from './redact.ts'

/** What the transport needs to know about TLS and proxies. PEM texts, already read. */
export type TransportOptions = {
  /** Authorities besides those of the system. */
  readonly ca?: string
  readonly clientCertificate?: string
  readonly clientKey?: string
  readonly serverName?: string
  /** Accept any server certificate. */
  readonly allowInsecure?: boolean
  /** `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, in either case. Loopback is never proxied. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Milliseconds without a byte before a connection counts as dead; default 30,000. */
  readonly idleMs?: number
}

/** Addresses whose class is kept. */
const maxClasses = 1_000
const maxHeaderBytes = 64 * 1024
/** Reading on is cheaper than a new connection up to about this much. */
const cheapToDrain = 64 * 1024

/** Makes a transport. Nothing is connected before the first request; `close` ends idle connections. */
export function createTransport(options: TransportOptions): Transport {
  const agents = new Map<string, Agent>()
  const agentFor = async (request: HttpRequest, direct: boolean): Promise<Agent> => {
    // By reach too: an open connection is used again without asking where its host lies.
    const key = `${request.url.protocol} ${request.named === true} ${direct} ${request.reach ?? ''}`
    const known = agents.get(key)
    if (known !== undefined) return known
    const proxyEnv = direct ? {} : { proxyEnv: proxyVariables(options.environment) }
    const agent =
      request.url.protocol === 'https:'
        ? new (await import('node:https')).Agent({ keepAlive: true, ...proxyEnv, ...(await tlsOptions(options, request.named === true)) })
        : new (plainHttp().Agent)({ keepAlive: true, ...proxyEnv })
    const raced = agents.get(key)
    if (raced !== undefined) return raced
    agents.set(key, agent)
    return agent
  }
  const direct = new Map<string, AddressClass>()
  const classes = new Map<string, AddressClass>()
  let loopback: { readonly hostname: string; readonly is: boolean } | undefined
  return {
    send: async (request, signal) => {
      guardLiteral(request)
      const { hostname } = request.url
      if (loopback?.hostname !== hostname) loopback = { hostname, is: isLoopbackHost(hostname) }
      const local = loopback.is
      const agent = await agentFor(request, local)
      const maybeProxied = !local && usesProxy(options.environment)
      // Node decides by scheme and NO_PROXY, and asks our lookup for a host only where it connects to that host itself.
      const lookup =
        request.reach !== undefined
          ? guardedLookup(request.reach)
          : maybeProxied
            ? notingLookup((found) => direct.set(hostname, found))
            : undefined
      const settings = requestOptions(request, agent, options.idleMs ?? 30_000)
      const incoming = await exchange(request, lookup === undefined ? settings : { ...settings, lookup }, signal)
      const address = incoming.socket.remoteAddress
      const known = address === undefined ? undefined : (classes.get(address) ?? classifyAddress(address))
      if (address !== undefined && known !== undefined && classes.size < maxClasses) classes.set(address, known)
      return toResponse(incoming, request, maybeProxied ? (literalClass(hostname) ?? direct.get(hostname)) : known)
    },
    close: () => {
      for (const agent of agents.values()) agent.destroy()
      agents.clear()
    },
  }
}

/**
 * `node:http`, without `import()`: that reads every export of the module, one of which is a getter that loads the whole of undici, which is
 * a quarter of the time that a short command takes.
 */
function plainHttp(): typeof HttpModule {
  return process.getBuiltinModule('node:http')
}

async function tlsOptions(options: TransportOptions, named: boolean): Promise<AgentOptions> {
  const { getCACertificates } = options.ca === undefined ? { getCACertificates: undefined } : await import('node:tls')
  return {
    minVersion: 'TLSv1.2',
    ...(options.allowInsecure === true ? { rejectUnauthorized: false } : {}),
    ...(getCACertificates === undefined ? {} : { ca: [...getCACertificates('default'), options.ca as string] }),
    // Only hosts that the operator named learn who we are and are asked for under a foreign name.
    ...(named && options.clientCertificate !== undefined ? { cert: options.clientCertificate } : {}),
    ...(named && options.clientKey !== undefined ? { key: options.clientKey } : {}),
    ...(named && options.serverName !== undefined ? { servername: options.serverName } : {}),
  }
}

const proxyNames = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy'] as const

function proxyVariables(environment: TransportOptions['environment']): Record<string, string> {
  const found: Record<string, string> = {}
  for (const name of proxyNames) {
    const value = environment[name]
    if (value !== undefined && value !== '') found[name] = value
  }
  return found
}

function usesProxy(environment: TransportOptions['environment']): boolean {
  return Object.keys(proxyVariables(environment)).some((name) => !name.toLowerCase().startsWith('no_'))
}

function requestOptions(request: HttpRequest, agent: Agent, idleMs: number): RequestOptions {
  const bytes = request.stream?.length ?? request.body?.length
  const length = bytes === undefined ? {} : { 'content-length': String(bytes) }
  return {
    agent,
    method: request.method,
    // A compressed answer could be a bomb, and its bytes would not be those that the digest names.
    headers: { ...request.headers, ...length, 'accept-encoding': 'identity' },
    timeout: idleMs,
    maxHeaderSize: maxHeaderBytes,
  }
}

/** Rejects when the signal aborts, whatever Node is waiting for; a body that is still being read breaks off then. */
async function exchange(request: HttpRequest, settings: RequestOptions, signal: AbortSignal): Promise<IncomingMessage> {
  const { request: open } = request.url.protocol === 'https:' ? await import('node:https') : plainHttp()
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const outgoing = open(request.url, settings)
    let stalled: { destroy(error: Error): unknown } = outgoing
    const what = (): string => `${request.method} ${redactUrl(request.url)}`
    // Not Node's own `signal`: it is not heeded while a proxy opens its tunnel, and costs a tenth of a short exchange.
    const abort = (): void => {
      reject(signal.reason)
      outgoing.destroy(signal.reason)
    }
    const forget = onAbort(signal, abort)
    outgoing.on('response', (incoming) => {
      stalled = incoming
      resolve(incoming)
    })
    outgoing.on('error', reject)
    // Hostile: to an answer 101 Node ends the connection without an error, and nobody would ever wake up whoever waits here.
    outgoing.on('upgrade', (_incoming, socket) => {
      socket.destroy()
      reject(new CountersignError('registry_response_malformed', `${what()}: the answer switches to a protocol that was not asked for`))
    })
    outgoing.on('close', () => {
      forget()
      if (stalled === outgoing) reject(new CountersignError('registry_unreachable', `${what()}: the connection ended without an answer`))
    })
    outgoing.on('timeout', () => {
      stalled.destroy(new CountersignError('registry_unreachable', `${what()}: no byte arrived for ${settings.timeout} ms`))
    })
    if (request.stream === undefined) outgoing.end(request.body)
    else void feed(outgoing, request.stream.parts)
  })
}

/** Sends a body as it is read, no faster than it is taken. A source that fails ends the request before its last byte. */
async function feed(outgoing: ClientRequest, parts: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const part of parts) {
      if (outgoing.destroyed) return
      if (!outgoing.write(part)) await drained(outgoing)
    }
    outgoing.end()
  } catch (cause) {
    outgoing.destroy(cause instanceof Error ? cause : new CountersignError('internal', 'a body could not be read', { cause }))
  }
}

/** Resolves when more may be written, and when nobody takes anything any more. */
function drained(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done).off('close', done)
      resolve()
    }
    outgoing.on('drain', done).on('close', done)
    if (outgoing.destroyed) done()
  })
}

function toResponse(incoming: IncomingMessage, request: HttpRequest, remote: AddressClass | undefined): HttpResponse {
  // Not `headers` too: Node makes both from the same lines, each when it is first looked at.
  const headers = incoming.headersDistinct
  const encoding = headers['content-encoding']?.join(', ') ?? 'identity'
  if (encoding !== 'identity' && encoding !== '') {
    incoming.destroy()
    throw new CountersignError('registry_response_malformed', `${redactUrl(request.url)} answers in an encoding that was not asked for`, {
      expected: 'identity',
      found: encoding.slice(0, 40),
    })
  }
  const response = { headers }
  return {
    ...response,
    status: incoming.statusCode ?? 0,
    body: partsOf(incoming),
    remote,
    discard: () => {
      incoming.on('error', ignoreLateFailure)
      if ((contentLength(response) ?? Infinity) <= cheapToDrain || request.method === 'HEAD') incoming.resume()
      else incoming.destroy()
    },
  }
}

/** Nobody waits for a discarded body any more. */
function ignoreLateFailure(): void {
  return undefined
}
