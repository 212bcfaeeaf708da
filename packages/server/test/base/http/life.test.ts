import { copyFileSync } from 'node:fs'
import { connect as connectTls } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { formatListenAddress, isLoopback, parseListenAddress, parsePublicUrl } from '@countersign/server/base/http/address'
import { httpPort } from '@countersign/server/base/http/server'
import type { Service } from '@countersign/server/base/http/service'
import { defaultHttpLimits } from '@countersign/server/base/http/app'
import { openPort, testFolder, writeCertificate } from './port.ts'

const failsWith = (code: string): unknown => expect.objectContaining({ code })
const quiet = { level: 'error', format: 'json', write: () => undefined } as const
const base = { limits: defaultHttpLimits, log: quiet, trustedProxies: [] }

describe('health', () => {
  it('of the process is that it answers; readiness is that every service can serve, with the reason of the one that cannot', async () => {
    let broken = false
    const service: Service = {
      name: 'log',
      prefix: '/log',
      routes: () => undefined,
      ready: async () => (broken ? { ok: false, detail: 'no sequencer' } : { ok: true }),
    }
    const throwing: Service = {
      ...service,
      name: 'ca',
      prefix: '/ca',
      ready: async () => (broken ? Promise.reject(new TypeError('inner')) : { ok: true }),
    }
    const { url } = await openPort([service, throwing])
    const ready = async (): Promise<unknown[]> => {
      const answer = await fetch(`${url}/readyz`)
      return [answer.status, await answer.json()]
    }
    expect(await ready()).toEqual([200, { ok: true, services: { log: { ok: true }, ca: { ok: true } } }])
    broken = true
    expect(await ready()).toEqual([
      503,
      {
        ok: false,
        services: { log: { ok: false, detail: 'no sequencer' }, ca: { ok: false, detail: 'an internal failure; the log says more' } },
      },
    ])
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
  })
})

describe('draining', () => {
  function slow(closed: string[], name = 'slow'): Service & { release: () => void; started: Promise<void> } {
    let release = (): void => undefined
    let begin = (): void => undefined
    const released = new Promise<void>((resolve) => (release = resolve))
    const started = new Promise<void>((resolve) => (begin = resolve))
    return {
      name,
      prefix: `/${name}`,
      routes: (app) => {
        app.get('/', async () => {
          begin()
          await released
          return 'done'
        })
      },
      close: async () => {
        closed.push(name)
      },
      release: () => release(),
      started,
    }
  }

  it('answers what runs, takes no new connection, then closes the services, the last mounted first', async () => {
    const closed: string[] = []
    const [first, second] = [slow(closed, 'first'), slow(closed, 'second')]
    const { url, port } = await openPort([first, second])
    const running = fetch(`${url}/first/`)
    await first.started
    const drained = port.drain(10_000)
    const answer = (): Promise<string> =>
      fetch(`${url}/healthz`).then(
        () => 'answered',
        () => 'refused',
      )
    await expect.poll(answer).toBe('refused')
    expect(closed).toEqual([])
    first.release()
    expect(await (await running).text()).toBe('done')
    expect(await drained).toBe(true)
    expect(closed).toEqual(['second', 'first'])
  })

  it('cuts off at the deadline what does not end, says so, and closes the services all the same', async () => {
    const closed: string[] = []
    const service = slow(closed)
    const { url, port } = await openPort([service])
    const running = fetch(`${url}/slow/`).then(
      () => 'answered',
      () => 'cut off',
    )
    await service.started
    expect(await port.drain(100)).toBe(false)
    expect(await running).toBe('cut off')
    expect(closed).toEqual(['slow'])
  })

  it('closes the services behind one that fails to close', async () => {
    const closed: string[] = []
    const failing: Service = {
      name: 'failing',
      prefix: '/failing',
      routes: () => undefined,
      close: async () => Promise.reject(new TypeError('x')),
    }
    const { port } = await openPort([slow(closed), failing])
    expect(await port.drain(1000)).toBe(false)
    expect(closed).toEqual(['slow'])
  })
})

describe('the port', () => {
  it('does not open for plain http off loopback', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org', '128.0.0.1'])
      await expect(httpPort({ ...base, listen: { host, port: 0 } })).rejects.toThrow(failsWith('insecure_transport'))
  })

  it('that another process has is a failure that names it', async () => {
    const { url } = await openPort([])
    const port = await httpPort({ ...base, listen: { host: '127.0.0.1', port: Number(new URL(url).port) } })
    await expect(port.open([])).rejects.toThrow(failsWith('listen_failed'))
    await port.drain(100)
  })

  it('serves with a certificate, and with the next one after its files changed, without dropping a connection', async () => {
    const folder = testFolder()
    const [files, next] = [writeCertificate(folder, 'first'), writeCertificate(folder, 'second')]
    const { url, port, lines } = await openPort([], { tls: { ...files, lookEveryMs: 50 } })
    expect(url).toMatch(/^https:/)
    const open = await session(url)
    expect(open.name).toBe('first')
    copyFileSync(next.certificate, files.certificate)
    // Until the key is there too the pair does not fit: the old one stays.
    await until(() => lines.some((line) => line.includes('not reloaded')))
    expect((await session(url)).name).toBe('first')
    copyFileSync(next.key, files.key)
    await until(() => lines.some((line) => line.includes('certificate reloaded')))
    expect((await session(url)).name).toBe('second')
    expect(await open.ask()).toMatch(/^HTTP\/1\.1 200/)
    await port.reload()
    expect((await session(url)).name).toBe('second')
  })

  it('takes TLS 1.2 and later, nothing before', async () => {
    const { url } = await openPort([], { tls: { ...writeCertificate(testFolder(), 'only'), lookEveryMs: 60_000 } })
    expect((await session(url, 'TLSv1.2')).name).toBe('only')
    await expect(session(url, 'TLSv1.1')).rejects.toThrow(/./)
  })

  it('does not open with a certificate that cannot serve', async () => {
    const folder = testFolder()
    const [one, other] = [writeCertificate(folder, 'one'), writeCertificate(folder, 'other')]
    const pairs = [
      { certificate: one.certificate, key: other.key },
      { certificate: one.key, key: one.key },
      { certificate: one.certificate, key: one.certificate },
      { certificate: `${folder}/absent`, key: one.key },
    ]
    for (const tls of pairs)
      await expect(httpPort({ ...base, listen: { host: '0.0.0.0', port: 0 }, tls: { ...tls, lookEveryMs: 1000 } })).rejects.toThrow(
        failsWith('tls_unusable'),
      )
  })
})

describe('addresses', () => {
  it('to listen on are a host and a port', () => {
    for (const text of ['127.0.0.1:0', '[::1]:8080', 'localhost:65535']) {
      const address = parseListenAddress(text)
      expect(address === undefined ? undefined : formatListenAddress(address)).toBe(text)
    }
    for (const text of ['', ':80', '127.0.0.1', '::1:80', '[x]:80', '127.0.0.1:65536', 'a b:1', '127.0.0.1:80/x'])
      expect(parseListenAddress(text)).toBeUndefined()
  })

  it('are loopback by number or as localhost, whatever a resolver says of other names', () => {
    expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].map(isLoopback)).toEqual([true, true, true, true])
    expect(['0.0.0.0', '::', 'localhost.example.org', '126.0.0.1', '::ffff:10.0.0.1'].map(isLoopback)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ])
  })

  it('for the public are https, or http on loopback, and nothing that could be read in two ways', () => {
    expect(parsePublicUrl('https://sign.example.org/')).toBe('https://sign.example.org')
    expect(parsePublicUrl('http://[::1]:8080')).toBe('http://[::1]:8080')
    expect(parsePublicUrl('https://example.org/a/')).toBe('https://example.org/a')
    expect(() => parsePublicUrl('http://sign.example.org')).toThrow(failsWith('insecure_transport'))
    for (const text of [
      'sign.example.org',
      'ftp://x',
      'https://a:b@x',
      'https://x/?q',
      'https://x/#f',
      'https://x/$(id)',
      "https://x/a';id",
    ])
      expect(() => parsePublicUrl(text)).toThrow(failsWith('config_malformed'))
  })
})

/** A TLS connection, whose certificate it is, and a request on it. */
function session(url: string, version?: 'TLSv1.1' | 'TLSv1.2'): Promise<{ readonly name: string; readonly ask: () => Promise<string> }> {
  const { hostname, port } = new URL(url)
  const limits = version === undefined ? {} : { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: hostname, port: Number(port), rejectUnauthorized: false, ...limits }, () => {
      resolve({
        name: String(socket.getPeerCertificate().subject.CN),
        ask: () =>
          new Promise((answered) => {
            socket.once('data', (chunk) => answered(chunk.toString()))
            socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
          }),
      })
    })
    socket.on('error', reject)
  })
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    expect(tries).toBeLessThan(2_000)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
