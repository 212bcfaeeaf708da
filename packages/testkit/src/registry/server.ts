/** An OCI 1.1 registry in this process, in memory, on loopback. It logs every request and plays faults on demand. */
import { createServer as createPlainServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAuthGate, type AuthGate, type RegistryAuth } from './auth.ts'
import { createRegistryContent, type RegistryContent } from './content.ts'
import { errorReply, jsonReply, type RegistryBehaviour, type RegistryReply, type RegistryRequest, type RouteContext } from './exchange.ts'
import { createFaultPlan, type Fault } from './fault.ts'
import { answerWith } from './reply.ts'
import { blobRoute, uploadRoute } from './blob-routes.ts'
import { manifestRoute, referrersRoute, tagsRoute } from './manifest-routes.ts'

/** How to start a registry. Without options: OCI 1.1 in full, anonymous, instant. */
export type TestRegistryOptions = Partial<RegistryBehaviour> & {
  readonly auth?: RegistryAuth
  /** Added to every request, milliseconds. */
  readonly latencyMs?: number
  /** PEM. Serves https when given. */
  readonly tls?: { readonly key: string; readonly cert: string }
  readonly content?: RegistryContent
}

/** A request as it came in, and the status that it got (0: none). */
export type LoggedRequest = {
  readonly method: string
  /** With query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | undefined>>
  status: number
}

/** A running registry. */
export type TestRegistry = {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  readonly url: string
  readonly content: RegistryContent
  readonly log: readonly LoggedRequest[]
  /** How many requests of a method went to paths that match. */
  readonly count: (method: string, path?: RegExp) => number
  readonly fault: (fault: Fault) => void
  readonly clearFaults: () => void
  readonly clearLog: () => void
  readonly setLatency: (ms: number) => void
  /** Serves `requests` more requests, then falls silent: connections end, nothing more is stored. */
  readonly dieAfter: (requests: number) => void
  /** Stops, and throws when anything stored is not what its digest says. */
  readonly stop: () => Promise<void>
}

/** Starts a registry on a free port of loopback. */
export async function startTestRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const { auth = { kind: 'none' }, tls, content = createRegistryContent(), latencyMs = 0, ...given } = options
  const behaviour: RegistryBehaviour = { referrers: true, conditionalWrites: true, tagPageSize: 1000, referrersPageSize: 1000, ...given }
  const state = { latencyMs, left: Infinity, log: [] as LoggedRequest[], url: '' }
  const faults = createFaultPlan()
  const gate = createAuthGate(auth, () => state.url)
  const uploads = new Map<string, Uint8Array>()
  const listener = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    if (state.left-- <= 0) return void incoming.socket.destroy()
    const entry: LoggedRequest = { method: incoming.method ?? '', path: incoming.url ?? '', headers: flatten(incoming), status: 0 }
    state.log.push(entry)
    const request = await readRequest(incoming, entry)
    if (state.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, state.latencyMs))
    await answerWith(outgoing, request, faults.take(entry.method, entry.path), () => {
      const reply = route(content, uploads, behaviour, gate, request)
      entry.status = reply.status
      return reply
    })
    if (entry.status === 0) entry.status = outgoing.headersSent ? outgoing.statusCode : 0
  }
  const server = await createServer(tls, (incoming, outgoing) => {
    listener(incoming, outgoing).catch((error: unknown) => outgoing.destroy(error as Error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  state.url = `${tls === undefined ? 'http' : 'https'}://${host}`
  return {
    host,
    url: state.url,
    content,
    log: state.log,
    count: (method, path = /(?:)/) => state.log.filter((entry) => entry.method === method && path.test(entry.path)).length,
    fault: faults.add,
    clearFaults: faults.clear,
    clearLog: () => void state.log.splice(0),
    setLatency: (ms) => void (state.latencyMs = ms),
    dieAfter: (requests) => void (state.left = requests),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      content.check()
    },
  }
}

async function createServer(
  tls: TestRegistryOptions['tls'],
  listener: (incoming: IncomingMessage, outgoing: ServerResponse) => void,
): Promise<Server> {
  if (tls === undefined) return createPlainServer(listener)
  const { createServer: createTlsServer } = await import('node:https')
  return createTlsServer(tls, listener)
}

function flatten(incoming: IncomingMessage): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )
}

async function readRequest(incoming: IncomingMessage, { method, path, headers }: LoggedRequest): Promise<RegistryRequest> {
  const parts: Buffer[] = []
  for await (const part of incoming) parts.push(part as Buffer)
  const url = new URL(path, 'http://registry.test')
  return { method, path: decodeURIComponent(url.pathname), query: url.searchParams, headers, body: Buffer.concat(parts) }
}

function route(
  content: RegistryContent,
  uploads: Map<string, Uint8Array>,
  behaviour: RegistryBehaviour,
  gate: AuthGate,
  request: RegistryRequest,
): RegistryReply {
  if (request.path === '/token') return gate.token(request)
  const match = /^\/v2\/(.+?)\/(blobs\/uploads\/|blobs\/|manifests\/|referrers\/|tags\/list)([^/]*)$/.exec(request.path)
  const repository = match?.[1] ?? ''
  const refusal = gate.refuse(request, repository)
  if (refusal !== undefined) return refusal
  if (request.path === '/v2/' || request.path === '/v2') return jsonReply(200, {}, { 'docker-distribution-api-version': 'registry/2.0' })
  const answer = routes[match?.[2] ?? '']
  return answer === undefined
    ? errorReply(404, 'NAME_UNKNOWN')
    : answer({ content, uploads, behaviour, request, repository, rest: match?.[3] ?? '' })
}

const routes: Readonly<Record<string, (context: RouteContext) => RegistryReply>> = {
  'blobs/uploads/': uploadRoute,
  'blobs/': blobRoute,
  'manifests/': manifestRoute,
  'referrers/': referrersRoute,
  'tags/list': tagsRoute,
}
