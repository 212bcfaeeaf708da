import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startTestRegistry } from '@countersign/testkit/registry/server'
import { afterEach, describe, expect, it } from 'vitest'
import { classifyAddress, isLoopbackHost, mayReach } from '../../src/http/address.ts'
import { retryAfterMs } from '../../src/http/client.ts'
import { startDeadline } from '../../src/http/deadline.ts'
import { printable, redactUrl } from '../../src/http/redact.ts'
import { createSlots } from '../../src/http/slots.ts'
import { createTransport } from '../../src/http/transport.ts'
import { createRegistryRun } from '../../src/open-repository.ts'
import { makeTlsAuthority } from './tls-authority.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

/** A proxy that knows one address behind every name, and notes what it was asked for. */
async function startProxy(target: string): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = []
  const server: Server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim())
    response.writeHead(404).end()
  })
  server.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim())
    if (target === '') {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
      return
    }
    const [host, port] = target.split(':')
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
    for (const end of [socket, upstream]) end.on('error', () => upstream.destroy())
    ends.push(() => upstream.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

async function tlsRegistry(): Promise<{ readonly host: string; readonly caFile: string }> {
  const { ca, server } = await makeTlsAuthority()
  const registry = await startTestRegistry({ tls: server })
  const folder = await mkdtemp(join(tmpdir(), 'proxy-'))
  await writeFile(join(folder, 'ca.pem'), ca)
  ends.push(
    () => rm(folder, { recursive: true }),
    () => registry.stop(),
  )
  return { host: registry.host, caFile: join(folder, 'ca.pem') }
}

async function resolveThrough(environment: Readonly<Record<string, string>>, registry: string, caFile?: string): Promise<unknown> {
  const run = createRegistryRun({ environment, deadlineMs: 15_000, ...(caFile === undefined ? {} : { caFile }) }, { retries: 0 })
  ends.push(run.close)
  return (await run.open({ kind: 'registry', registry, repository: 'app' })).resolve({ tag: 'v1' })
}

describe('a proxy', () => {
  it('carries https through a tunnel, so that the certificate is still that of the registry', async () => {
    const { host, caFile } = await tlsRegistry()
    const proxy = await startProxy(host)
    expect(await resolveThrough({ HTTPS_PROXY: proxy.url }, 'registry.test', caFile)).toBeUndefined()
    expect(proxy.asked).toEqual(['CONNECT registry.test:443'])
  })

  it('is not asked for hosts that NO_PROXY names, nor for loopback', async () => {
    const { host, caFile } = await tlsRegistry()
    const proxy = await startProxy(host)
    await expect(resolveThrough({ HTTPS_PROXY: proxy.url, NO_PROXY: 'registry.test' }, 'registry.test', caFile)).rejects.toMatchObject({
      code: 'registry_unreachable',
    })
    expect(await resolveThrough({ HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url }, host, caFile)).toBeUndefined()
    expect(proxy.asked).toEqual([])
  })

  it('that refuses is a failure that does not show its password', async () => {
    const proxy = await startProxy('')
    const environment = { https_proxy: proxy.url.replace('//', '//ann:s3cret@') }
    const failure = (await resolveThrough(environment, 'registry.test').catch((error: unknown) => error)) as Error
    expect(failure).toMatchObject({ code: 'registry_unreachable' })
    expect(proxy.asked[0]).toContain('Basic')
    expect(`${failure.message} ${String(failure.cause)}`).not.toContain('s3cret')
  })
})

describe('addresses', () => {
  it.each([
    ['127.0.0.1', 'loopback'],
    ['127.9.9.9', 'loopback'],
    ['::1', 'loopback'],
    ['[::1]', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['10.1.2.3', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.1', 'public'],
    ['192.168.1.1', 'private'],
    ['::ffff:10.0.0.1', 'private'],
    ['fd12::1', 'private'],
    ['169.254.169.254', 'special'],
    ['::ffff:169.254.169.254', 'special'],
    ['fd00:ec2::254', 'special'],
    ['fe80::1%eth0', 'special'],
    ['0.0.0.0', 'special'],
    ['255.255.255.255', 'special'],
    ['64:ff9b::7f00:1', 'special'],
    ['8.8.8.8', 'public'],
    ['2001:4860:4860::8888', 'public'],
    ['no address', 'special'],
  ])('%s is %s', (address, kind) => {
    expect(classifyAddress(address)).toBe(kind)
  })

  it('a host may point at public ones and at its own kind, and nobody at link-local ones', () => {
    expect(mayReach('public', 'private')).toBe(false)
    expect(mayReach('public', 'loopback')).toBe(false)
    expect(mayReach('private', 'private')).toBe(true)
    expect(mayReach('private', 'loopback')).toBe(false)
    expect(mayReach('loopback', 'private')).toBe(true)
    expect(mayReach('loopback', 'special')).toBe(false)
    expect(mayReach('public', 'public')).toBe(true)
  })

  it('loopback is by number or as localhost, not by a name that looks like it', () => {
    expect(['localhost', 'LOCALHOST', '127.0.0.1', '[::1]'].every(isLoopbackHost)).toBe(true)
    expect(
      ['127.0.0.1.attacker.test', 'localhost.attacker.test', '128.0.0.1', 'mylocalhost', 'attacker.localhost'].some(isLoopbackHost),
    ).toBe(false)
  })

  it('a name that a server gave and that DNS leads inside is refused', async () => {
    const transport = createTransport({ environment: {} })
    ends.push(transport.close)
    const request = { method: 'GET', url: new URL('http://localhost:1/'), reach: 'public' } as const
    await expect(transport.send(request, AbortSignal.timeout(2_000))).rejects.toMatchObject({ code: 'registry_response_malformed' })
  })
})

describe('messages', () => {
  it('show no secret of a URL', () => {
    const url = new URL('https://user:pass@r.test/v2/a/blobs/x?digest=sha256%3Aab&X-Amz-Signature=s3cret&token=t#frag')
    expect(redactUrl(url)).toBe('https://r.test/v2/a/blobs/x?digest=sha256:ab&X-Amz-Signature=…&token=…')
  })

  it('cannot drive a terminal', () => {
    expect(printable('a\u001b]0;evil\u0007\r\nb')).toBe('a ]0;evil b')
    expect(printable('x'.repeat(1_000))).toHaveLength(201)
  })
})

describe('Retry-After', () => {
  it.each([
    ['3', 3_000],
    ['0', 0],
    ['Fri, 20 Nov 2026 08:00:10 GMT', 10_000],
    ['Fri, 20 Nov 2026 07:00:00 GMT', 0],
    ['soon', undefined],
    ['-1', undefined],
    ['99999999999', undefined],
    [undefined, undefined],
  ])('%s', (text, wait) => {
    expect(retryAfterMs(text, Date.parse('2026-11-20T08:00:00Z'))).toBe(wait)
  })
})

describe('slots', () => {
  it('are handed on in order, each freed once, and those who gave up get none', async () => {
    const { signal } = startDeadline(10_000)
    const slots = createSlots(1)
    const first = await slots.take(signal)
    const impatient = slots.take(AbortSignal.abort('gone'))
    const second = slots.take(signal)
    await expect(impatient).rejects.toBe('gone')
    first()
    first()
    const release = await second
    const third = slots.take(signal)
    let got = false
    void third.then(() => (got = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(got).toBe(false)
    release()
    ;(await third)()
  })
})
