import { connect } from 'node:net'
import { Counter } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { CountersignError } from '@countersign/core/failure'
import { defaultHttpLimits } from '@countersign/server/base/http/app'
import { allowAnyOrigin, bodyOf } from '@countersign/server/base/http/request'
import type { Service } from '@countersign/server/base/http/service'
import { openPort } from './port.ts'

const echo: Service = {
  name: 'echo',
  prefix: '/echo',
  routes: (app) => {
    allowAnyOrigin(app, ['GET', 'POST'])
    app.post('/api/:name', async (request, reply) => reply.type('application/octet-stream').send(Buffer.from(bodyOf(request))))
    app.get('/api/:name', async () => 'here')
    app.get('/file/*', async () => 'file')
    app.get('/fails/:how', async ({ params }) => {
      const { how } = params as { how: string }
      if (how === 'ours') throw new CountersignError('usage', 'this was asked wrongly')
      if (how === 'later') throw new CountersignError('signer_unavailable', 'the token is gone')
      throw new TypeError('secret inner text')
    })
  },
}

describe('a request', () => {
  it('reaches its service with its body as bytes, whatever type it claims', async () => {
    const { url } = await openPort([echo])
    const bytes = Uint8Array.of(0, 255, 123, 34)
    for (const type of ['application/json', 'application/timestamp-query', 'text/plain', undefined]) {
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      const answer = await fetch(`${url}/echo/api/x`, { method: 'POST', body: bytes, headers })
      expect([answer.status, new Uint8Array(await answer.arrayBuffer())]).toEqual([200, bytes])
    }
    expect(await (await fetch(`${url}/echo/api/x`, { method: 'POST' })).text()).toBe('')
  })

  it('for what is not there is answered with a real 404', async () => {
    const { url } = await openPort([echo])
    for (const path of ['/', '/echo', '/echo/api', '/echo/api/a/b', '/echo/file', '/nothing', '/echo/nothing']) {
      const answer = await fetch(`${url}${path}`)
      expect([path, answer.status, ((await answer.json()) as { title: string }).title]).toEqual([path, 404, 'not_found'])
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    }
  })

  it('for the address of the server itself is sent on to the service that people begin with', async () => {
    const { url } = await openPort([
      echo,
      { name: 'first', prefix: '/first', front: true, routes: (app) => void app.get('/', () => 'page') },
    ])
    const answer = await fetch(url, { redirect: 'manual' })
    expect([answer.status, answer.headers.get('location'), answer.headers.get('cache-control')]).toEqual([302, '/first', 'no-store'])
    expect(await (await fetch(url)).text()).toBe('page')
  })

  it('with a method that a path does not take is answered 405, with those that it takes', async () => {
    const { url } = await openPort([echo])
    const answer = await fetch(`${url}/echo/api/x`, { method: 'DELETE' })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS, POST'])
    expect((await fetch(`${url}/echo/file/a/b`, { method: 'PUT' })).status).toBe(405)
    expect((await fetch(`${url}/healthz`, { method: 'POST' })).status).toBe(405)
  })

  it('that is larger than the limit is refused with 413, declared or not', async () => {
    const { url } = await openPort([echo], { limits: { ...defaultHttpLimits, bodyBytes: 1000 } })
    expect((await fetch(`${url}/echo/api/x`, { method: 'POST', body: new Uint8Array(1000) })).status).toBe(200)
    expect((await fetch(`${url}/echo/api/x`, { method: 'POST', body: new Uint8Array(1001) })).status).toBe(413)
    const body = new Blob([new Uint8Array(1001)]).stream()
    expect((await fetch(`${url}/echo/api/x`, { method: 'POST', body, duplex: 'half' })).status).toBe(413)
  })

  it('may bring its id when that is well formed; every answer names the id', async () => {
    const { url, lines } = await openPort([echo])
    const idOf = async (id: string): Promise<string | null> =>
      (await fetch(`${url}/echo/api/x`, { headers: { 'x-request-id': id } })).headers.get('x-request-id')
    expect(await idOf('from-proxy.1')).toBe('from-proxy.1')
    for (const forged of ['a b', '"},{"level":"error', 'x'.repeat(65)]) expect(await idOf(forged)).toMatch(/^[0-9a-f-]{36}$/)
    expect(lines.some((line) => line.includes('"request":"from-proxy.1"'))).toBe(true)
  })

  it('from a page of another origin is answered where the service says so, and nowhere else', async () => {
    const { url } = await openPort([echo])
    const preflight = await fetch(`${url}/echo/api/x`, { method: 'OPTIONS' })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
    expect((await fetch(`${url}/echo/api/x`)).headers.get('access-control-allow-origin')).toBe('*')
    expect((await fetch(`${url}/metrics`)).headers.get('access-control-allow-origin')).toBe(null)
  })
})

describe('a failure in a service', () => {
  it('of ours says what it is, with a status that fits', async () => {
    const { url } = await openPort([echo])
    const ours = await fetch(`${url}/echo/fails/ours`)
    expect([ours.status, await ours.json()]).toEqual([
      400,
      { type: 'about:blank', title: 'usage', status: 400, detail: 'this was asked wrongly', instance: ours.headers.get('x-request-id') },
    ])
    const later = await fetch(`${url}/echo/fails/later`)
    expect([later.status, later.headers.get('retry-after')]).toEqual([503, '1'])
  })

  it('that nobody foresaw tells the caller nothing, and the log everything', async () => {
    const { url, lines } = await openPort([echo])
    const answer = await fetch(`${url}/echo/fails/other`)
    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toContain('secret inner text')
    expect(lines.join('')).toContain('secret inner text')
  })
})

describe('the log', () => {
  it('has no query, no header and no body, where tokens are', async () => {
    const { url, lines } = await openPort([echo])
    const headers = { authorization: 'Bearer token-in-header' }
    await fetch(`${url}/echo/api/x?code=token-in-query`, { method: 'POST', headers, body: 'token-in-body' })
    const request = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>).find(({ msg }) => msg === 'request')
    await expect.poll(request).toMatchObject({ level: 'info', method: 'POST', path: '/echo/api/x', status: 200, from: '127.0.0.1' })
    expect(lines.join('')).not.toMatch(/token-in-/)
  })

  it('for people is one line each, and a path cannot add one', async () => {
    const lines: string[] = []
    const { url } = await openPort([echo], { log: { level: 'info', format: 'text', write: (line) => lines.push(line) } })
    await fetch(`${url}/a%0Ab"c`)
    await expect.poll(() => lines.join('')).toMatch(/info {2}request .*status=404/)
    expect(lines.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true)
  })

  it('for people obeys nobody else: no control of a terminal comes through, whoever wrote the text of a failure', async () => {
    const lines: string[] = []
    const failing: Service = {
      name: 'failing',
      prefix: '/failing',
      routes: (app) => {
        app.get('/', async () => {
          throw new TypeError('\u001b[2J \u009b2J \u202e \u2028 \u007f')
        })
      },
    }
    const { url } = await openPort([failing], { log: { level: 'info', format: 'text', write: (line) => lines.push(line) } })
    await fetch(`${url}/failing/`)
    await expect.poll(() => lines.join('')).toContain('\\u009b2J')
    expect(lines.join('').replaceAll('\n', '')).not.toMatch(/[\p{C}\u2028]/u)
  })
})

describe('metrics', () => {
  it('count by service and route, never by path, and hold what services add', async () => {
    const counting: Service = {
      ...echo,
      metrics: (registry) => new Counter({ name: 'echo_total', help: 'Echoes', registers: [registry] }).inc(7),
    }
    const { url } = await openPort([counting])
    await fetch(`${url}/echo/api/made-up-by-caller`)
    await fetch(`${url}/made-up-too`)
    const text = await (await fetch(`${url}/metrics`)).text()
    expect(text).toContain('countersign_http_requests_total{service="echo",method="GET",route="/echo/api/:name",status="200"} 1')
    expect(text).toContain('echo_total 7')
    expect(text).toContain('process_cpu_seconds_total')
    expect(text).not.toContain('made-up')
  })
})

describe('a caller who', () => {
  it('sends headers without an end is cut off', async () => {
    const { url } = await openPort([echo], { limits: { ...defaultHttpLimits, headersMs: 200, requestMs: 400 } })
    expect(await rawAnswer(url, 'GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ')).toMatch(/^HTTP\/1\.1 408|^$/)
  })

  it('takes nothing of a great answer is cut off', async () => {
    const cut = Promise.withResolvers<void>()
    const great: Service = {
      name: 'great',
      prefix: '/great',
      routes: (app) =>
        void app.get('/', (_request, reply) => {
          reply.raw.once('close', cut.resolve)
          return reply.send(Buffer.alloc(64 * 1024 * 1024))
        }),
    }
    const { url } = await openPort([great], { limits: { ...defaultHttpLimits, requestMs: 300, idleMs: 300 } })
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.pause()
    socket.write('GET /great/ HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await cut.promise
    let taken = 0
    socket.on('data', (data: Buffer) => (taken += data.length))
    socket.on('error', () => undefined)
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    expect(taken).toBeLessThan(64 * 1024 * 1024)
  })

  it('speaks no HTTP is refused', async () => {
    const { url } = await openPort([echo])
    expect(await rawAnswer(url, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/)
  })
})

/** Everything that comes back on a connection until it ends. */
function rawAnswer(url: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname, () => socket.write(text))
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}
