/** A proxy on loopback that stands where clients expect a server: it notes what they ask, and can change or lose what they are answered. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request as ask, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request, and what the server behind the proxy answered. */
export type ProxiedExchange = {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly requestHeaders: IncomingHttpHeaders
  readonly requestBody: Buffer
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** What is done with an answer: another one in its place, or none; then the connection breaks although the server did its work. */
export type AnswerChange = (exchange: ProxiedExchange) => Pick<ProxiedExchange, 'status' | 'headers' | 'body'> | 'lost'

/** A running proxy. */
export type RecordingProxy = {
  /** `http://localhost:PORT` */
  readonly url: string
  /** Where requests go from now on, an origin. */
  readonly forwardTo: (origin: string) => void
  /** Every exchange since this was last asked, in the order of the answers. */
  readonly taken: () => readonly ProxiedExchange[]
  /** Changes every answer from now on; without an argument, none. */
  readonly change: (change?: AnswerChange) => void
  readonly stop: () => Promise<void>
}

/** Starts a proxy on a free port. */
export async function startRecordingProxy(origin?: string): Promise<RecordingProxy> {
  let [target, change, exchanges]: [string | undefined, AnswerChange | undefined, ProxiedExchange[]] = [origin, undefined, []]
  const server = createServer((request, response) => {
    forward(request, target).then(
      (exchange) => {
        exchanges.push(exchange)
        const answer = change === undefined ? exchange : change(exchange)
        if (answer === 'lost') request.socket.destroy()
        else send(response, answer)
      },
      () => request.socket.destroy(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    forwardTo: (next) => void (target = next),
    taken: () => exchanges.splice(0),
    change: (next) => void (change = next),
    stop: () =>
      new Promise((resolve) => {
        exchanges = []
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function forward(request: IncomingMessage, target: string | undefined): Promise<ProxiedExchange> {
  const asked = {
    method: request.method ?? 'GET',
    path: request.url ?? '/',
    requestHeaders: request.headers,
    requestBody: await read(request),
  }
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  ask(new URL(target ?? 'http://127.0.0.1:1'), { method: asked.method, path: asked.path, headers: request.headers }, resolve)
    .on('error', reject)
    .end(asked.requestBody)
  const answer = await promise
  return { ...asked, status: answer.statusCode ?? 502, headers: answer.headers, body: await read(answer) }
}

async function read(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of message) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

function send(response: ServerResponse, { status, headers, body }: Pick<ProxiedExchange, 'status' | 'headers' | 'body'>): void {
  const { 'transfer-encoding': _, 'content-length': __, connection: ___, ...kept } = headers
  response.writeHead(status, { ...kept, 'content-length': body.length }).end(body)
}
