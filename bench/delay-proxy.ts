/** An HTTP proxy in front of a server on loopback that holds back each request, as a network with that round-trip time would. */
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A running proxy. */
export type DelayProxy = {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** How many requests came through so far. */
  readonly requests: () => number
  readonly close: () => Promise<void>
}

/** Starts a proxy to `target` (`host:port`) that waits `delayMs` before it passes a request on. The Host header stays the proxy's. */
export async function startDelayProxy(target: string, delayMs: number): Promise<DelayProxy> {
  const [hostname, port] = target.split(':')
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  let requests = 0
  const server = createServer((incoming, outgoing) => {
    requests++
    setTimeout(() => {
      const onward = request(
        { agent, hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(outgoing)
        },
      )
      onward.on('error', () => outgoing.destroy())
      incoming.pipe(onward)
    }, delayMs)
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((started) => server.listen(0, '127.0.0.1', started))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    close: async () => {
      agent.destroy()
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}
