import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { HttpRequest } from '../../src/http/message.ts'
import { createTransport } from '../../src/http/transport.ts'

/** A DNS of our own: the name says where it leads. */
vi.mock('node:dns', async (original) => ({
  ...(await original<object>()),
  lookup: (name: string, _options: object, callback: (error: null, addresses: object[]) => void) => {
    callback(null, [
      { address: name.startsWith('metadata') ? '169.254.169.254' : name.startsWith('inside') ? '10.0.0.7' : '127.0.0.1', family: 4 },
    ])
  },
}))

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function codeOf(environment: Readonly<Record<string, string>>, url: string): Promise<string> {
  const transport = createTransport({ environment })
  ends.push(transport.close)
  const request: HttpRequest = { method: 'GET', url: new URL(url), reach: 'public' }
  return transport.send(request, AbortSignal.timeout(1_000)).then(
    (response) => `HTTP ${response.status}`,
    (error: { readonly code?: string }) => String(error.code),
  )
}

describe('attack: a registry that names a host which DNS leads inside is refused', () => {
  it.each([
    ['without a proxy', {}, 'https://metadata.test/'],
    ['where the proxy is for the other scheme alone', { HTTP_PROXY: 'http://127.0.0.1:1' }, 'https://metadata.test/'],
    ['where NO_PROXY names the host', { HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: '.test' }, 'https://metadata.test/'],
    ['where NO_PROXY names all hosts', { HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: '*' }, 'https://inside.test/'],
    ['over http too', { HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: 'inside.test' }, 'http://inside.test/'],
  ])('%s', async (_name, environment, url) => {
    expect(await codeOf(environment, url)).toBe('registry_response_malformed')
  })

  it('and through a proxy it is the proxy that resolves names', async () => {
    expect(await codeOf({ HTTPS_PROXY: 'http://127.0.0.1:1' }, 'https://inside.test/')).toBe('ECONNREFUSED')
  })
})

it('a registry that is reached past the proxy is known by its address, so that it may name its own neighbours', async () => {
  const server = createServer((_request, response) => response.end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => server.close())
  const transport = createTransport({ environment: { HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: '.test' } })
  ends.push(transport.close)
  const url = new URL(`http://registry.test:${(server.address() as AddressInfo).port}/`)
  const remotes: (string | undefined)[] = []
  for (let n = 0; n < 2; n++) {
    const response = await transport.send({ method: 'GET', url, named: true }, AbortSignal.timeout(2_000))
    remotes.push(response.remote)
    response.discard()
  }
  expect(remotes).toStrictEqual(['loopback', 'loopback'])
})
