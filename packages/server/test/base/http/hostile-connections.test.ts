import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { answeringWithin } from '@countersign/server/base/http/answering'
import { defaultHttpLimits } from '@countersign/server/base/http/app'
import { inFlightLimit } from '@countersign/server/base/http/in-flight'
import { bodyOf } from '@countersign/server/base/http/request'
import type { Service } from '@countersign/server/base/http/service'
import { openPort } from './port.ts'

const mebibyte = 1024 * 1024

const service: Service = {
  name: 'echo',
  prefix: '/echo',
  routes: (app) => {
    app.post('/', async (request, reply) => reply.send(`${bodyOf(request).length} bytes`))
    app.get('/great/:name', async (_request, reply) => reply.send(Buffer.alloc(8 * mebibyte)))
  },
}

const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

/** A connection that sends this, and what came back on it until now. */
function caller(url: string, text: string): { readonly socket: Socket; readonly answer: () => string; readonly closed: () => boolean } {
  const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(text))
  sockets.push(socket)
  const state = { answer: '', closed: false }
  socket.on('data', (data: Buffer) => (state.answer += data.toString('latin1')))
  socket.on('error', () => undefined)
  socket.on('close', () => (state.closed = true))
  return { socket, answer: () => state.answer, closed: () => state.closed }
}

describe('attack: a request that two readers read differently', () => {
  it.each([
    ['has two names of its host', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nhOsT: evil.example\r\n\r\n'],
    ['has two names that are the same', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n'],
    ['has a host that is none', 'GET /healthz HTTP/1.1\r\nHost: localhost/evil.example\r\n\r\n'],
    ['has a host with somebody before it', 'GET /healthz HTTP/1.1\r\nHost: evil.example@localhost\r\n\r\n'],
    ['names another host than its header does', 'GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['has no host', 'GET /healthz HTTP/1.1\r\n\r\n'],
    [
      'has a length and chunks',
      'POST /echo/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['has two lengths', 'POST /echo/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['has a length in another notation', 'POST /echo/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: +1\r\n\r\na'],
    [
      'has chunks that are not the last encoding',
      'POST /echo/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n',
    ],
    ['has a blank before the colon', 'POST /echo/ HTTP/1.1\r\nHost: localhost\r\nContent-Length : 1\r\n\r\na'],
    ['has a folded header', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nx: a\r\n b\r\n\r\n'],
    [
      'has a chunk whose length is none',
      'POST /echo/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n',
    ],
  ])('that %s is refused, and what follows on the connection is not read', async (_, text) => {
    const { url } = await openPort([service])
    const { answer, closed } = caller(url, `${text}GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await expect.poll(closed).toBe(true)
    expect(answer().slice(0, 12)).toBe('HTTP/1.1 400')
    expect(answer()).not.toContain('HTTP/1.1 200')
  })
})

describe('attack: great bodies that arrive in many connections, and never end', () => {
  it('hold so much memory together; whoever has sent for the longest is cut off, and who says what they have to say is answered', async () => {
    const { url } = await openPort([service], { limits: { ...defaultHttpLimits, receivedBytes: 2 * mebibyte } })
    const begun = `POST /echo/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${mebibyte}\r\n\r\n${'x'.repeat(900_000)}`
    const slow = [caller(url, begun), caller(url, begun)]
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(slow.map(({ closed }) => closed())).toEqual([false, false])
    const chunks = `${(100_000).toString(16)}\r\n${'x'.repeat(100_000)}\r\n`.repeat(9)
    const chunked = caller(url, `POST /echo/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`)
    await expect.poll(() => slow[0]?.closed()).toBe(true)
    expect([slow[1]?.closed(), chunked.closed()]).toEqual([false, false])
    const answer = await fetch(`${url}/echo/`, { method: 'POST', body: 'x'.repeat(1_000_000) })
    expect([answer.status, await answer.text()]).toEqual([200, '1000000 bytes'])
    expect((await fetch(`${url}/echo/`, { method: 'POST', body: 'small' })).status).toBe(200)
  })
})

describe('attack: readers of different great answers who take nothing of them', () => {
  it('hold so much memory together, and others are told to come back', async () => {
    const { url } = await openPort([service], { limits: { ...defaultHttpLimits, answeredBytes: 20 * mebibyte } })
    const readers = ['a', 'b'].map((name) => {
      const reader = caller(url, `GET /echo/great/${name} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      reader.socket.pause()
      return reader
    })
    // Until both are answered, a third may be.
    await expect.poll(async () => (await fetch(`${url}/echo/great/c`)).status).toBe(503)
    const refused = await fetch(`${url}/echo/great/c`)
    expect([refused.status, refused.headers.get('retry-after'), ((await refused.json()) as { title: string }).title]).toEqual([
      503,
      '1',
      'overloaded',
    ])
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    readers[0]?.socket.destroy()
    await expect.poll(async () => (await fetch(`${url}/echo/great/c`)).status).toBe(200)
  })

  it('are counted once for all who are answered with the same bytes', () => {
    const answering = answeringWithin(3 * mebibyte)
    const responses = Array.from({ length: 4 }, () => new EventEmitter() as ServerResponse)
    const [one, other] = [Buffer.alloc(2 * mebibyte), Buffer.alloc(2 * mebibyte)]
    const [first, second, third, fourth] = responses as [ServerResponse, ServerResponse, ServerResponse, ServerResponse]
    expect([answering(first, one), answering(second, one), answering(third, other)]).toEqual([true, true, false])
    first.emit('close')
    expect(answering(third, other)).toBe(false)
    second.emit('close')
    expect(answering(fourth, other)).toBe(true)
    expect(answering(first, 'x'.repeat(2 * mebibyte))).toBe(false)
    expect(answering(first, 'small')).toBe(true)
  })

  it('are cut off when they take a byte now and then: after a minute and a second for each 64 KiB', () => {
    vi.useFakeTimers()
    const destroy = vi.fn<() => void>()
    const response = Object.assign(new EventEmitter(), { destroy }) as unknown as ServerResponse
    answeringWithin(100 * mebibyte)(response, Buffer.alloc(16 * mebibyte))
    vi.advanceTimersByTime(60_000 + 255_000)
    expect(destroy).not.toHaveBeenCalled()
    vi.advanceTimersByTime(10_000)
    expect(destroy).toHaveBeenCalledOnce()
    vi.useRealTimers()
  })
})

describe('attack: more requests than a service can work on', () => {
  it('are told to come back before anything of them is read', async () => {
    const refusal = { status: 503, headers: { 'retry-after': '1' }, body: 'later' }
    const limit = inFlightLimit({ most: 1, paths: ['/busy/'], refusal })
    const [begun, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const busy: Service = {
      name: 'busy',
      prefix: '/busy',
      refuseAtOnce: limit.refuseAtOnce,
      routes: (app) =>
        void app.post('/', async () =>
          limit.run(
            async () => {
              begun.resolve()
              await held.promise
              return 'done'
            },
            () => 'beyond',
          ),
        ),
    }
    const { url } = await openPort([busy])
    const first = fetch(`${url}/busy/`, { method: 'POST', body: 'x' })
    await begun.promise
    const { answer } = caller(url, 'POST /busy/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n')
    await expect.poll(answer).toMatch(/^HTTP\/1\.1 503 [^]*retry-after: 1[^]*later$/)
    held.resolve()
    expect(await (await first).text()).toBe('done')
    expect(await (await fetch(`${url}/busy/`, { method: 'POST', body: 'x' })).text()).toBe('done')
  })
})
