import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { FailureCode } from '@countersign/core/failure'
import { afterEach, describe, expect, it } from 'vitest'
import { createRegistryRun } from '../../src/open-repository.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

/** A server that says what it likes to the first request of each connection. */
async function startServer(answer: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    ends.push(() => socket.destroy())
    socket.once('data', () => answer(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Says something again and again, until the other side goes. */
function drip(socket: Socket, text: () => string): void {
  const timer = setInterval(() => socket.write(text()), 50)
  socket.on('close', () => clearInterval(timer))
}

async function outcome(
  registry: string,
  environment: Readonly<Record<string, string>> = {},
  deadlineMs = 700,
): Promise<FailureCode | 'found'> {
  const run = createRegistryRun({ environment, deadlineMs }, { retries: 0 })
  ends.push(run.close)
  const repository = await run.open({ kind: 'registry', registry, repository: 'app' })
  return repository.manifest({ tag: 'v1' }).then(
    () => 'found',
    (error: { readonly code: FailureCode }) => error.code,
  )
}

describe('attack: a server that keeps a client waiting', () => {
  it('by switching protocols: the request ends at once, instead of never', async () => {
    const host = await startServer((socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
    )
    expect(await outcome(host, {}, 10_000)).toBe('registry_response_malformed')
  })

  it('by a proxy that never opens its tunnel: the deadline ends it', async () => {
    const proxy = await startServer(() => undefined)
    expect(await outcome('registry.test', { HTTPS_PROXY: `http://${proxy}` })).toBe('deadline_exceeded')
  })

  it.each([
    ['a body', 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n', ' '],
    ['header fields', 'HTTP/1.1 200 OK\r\n', 'X-Again: 1\r\n'],
    ['early hints', '', 'HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n'],
  ])('by sending %s a little at a time: the deadline ends it', async (_name, first, again) => {
    const host = await startServer((socket) => {
      if (first !== '') socket.write(first)
      drip(socket, () => again)
    })
    expect(await outcome(host)).toBe('deadline_exceeded')
  })
})
