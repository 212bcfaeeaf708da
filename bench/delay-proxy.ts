/** A proxy in front of a server on loopback that holds back each request, as a network with that round-trip time would. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A running proxy. */
export type DelayProxy = {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** How many requests came through so far. */
  readonly requests: () => number
  readonly close: () => Promise<void>
}

/**
 * Starts a proxy to `target` (`host:port`) that passes on what a client sends `delayMs` later. It reads no HTTP, so that it takes as little as
 * it can of the machine that is measured: a request that has no body is one packet, and a client waits for the answer before it sends another.
 */
export async function startDelayProxy(target: string, delayMs: number): Promise<DelayProxy> {
  const [host = '', port = ''] = target.split(':')
  const open = new Set<Socket>()
  let requests = 0
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host, port: Number(port), noDelay: true })
    for (const [side, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(side)
      side.on('error', () => other.destroy())
      side.on('close', () => {
        open.delete(side)
        other.destroy()
      })
    }
    client.on('data', (part) => {
      if (/^[A-Z]{3,6} \//.test(part.toString('latin1', 0, 8))) requests++
      setTimeout(() => upstream.write(part), delayMs)
    })
    upstream.pipe(client)
  })
  await new Promise<void>((started) => server.listen(0, '127.0.0.1', started))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    close: async () => {
      for (const socket of open) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}
