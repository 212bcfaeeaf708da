import { describe, expect, it } from 'vitest'
import { askService, refusedBy, type ServiceRequest } from '../../src/services/exchange.ts'
import { serviceUrl } from '../../src/services/service-url.ts'
import { failureOf, fakeService, testClient } from './fake-service.ts'

const request = (url: string, more: Partial<ServiceRequest> = {}): ServiceRequest => ({
  service: 'the service',
  method: 'GET',
  url: new URL(url),
  repeatable: true,
  ...more,
})

describe('an exchange with a service', () => {
  it.each(['http://sign.example.org/', 'http://10.0.0.1/', 'http://169.254.169.254/', 'http://127.0.0.1.example.org/'])(
    'attack: %s would show the token to the network, and is not asked',
    async (url) => {
      const failure = await failureOf(askService(await testClient(), request(url)))
      expect(failure).toMatchObject({ code: 'insecure_transport', found: new URL(url).origin })
    },
  )

  it('fails in the words of services when nobody is there, and says where', async () => {
    const failure = await failureOf(askService(await testClient(), request('http://127.0.0.1:1/path')))
    expect(failure.code).toBe('service_unreachable')
    expect(failure.message).toContain('the service cannot be reached')
    expect(failure.hint).toContain('http://127.0.0.1:1')
  })

  it('asks again when a connection breaks, unless that could do harm', async () => {
    const fake = await fakeService((_, times) => (times < 3 ? 'lost' : { body: 'here' }))
    const answer = await askService(await testClient(), request(fake.url))
    expect(new TextDecoder().decode(answer.body)).toBe('here')
    expect(fake.asked.length).toBe(3)
    const once = await fakeService(() => 'lost')
    const failure = await failureOf(askService(await testClient(), request(once.url, { method: 'POST', repeatable: false })))
    expect(failure.code).toBe('service_unreachable')
    expect(once.asked.length).toBe(1)
  })

  it('reads no answer beyond its bound', async () => {
    const fake = await fakeService(() => ({ body: 'x'.repeat(1001) }))
    expect(await failureOf(askService(await testClient(), request(fake.url, { maxBytes: 1000 })))).toMatchObject({ code: 'limit_exceeded' })
  })

  it('attack: follows no redirect, which would carry token and request elsewhere', async () => {
    const elsewhere = await fakeService(() => ({ body: 'caught' }))
    const fake = await fakeService(() => ({ status: 307, headers: { location: elsewhere.url } }))
    const answer = await askService(await testClient(), request(fake.url, { headers: { authorization: 'Bearer secret' } }))
    expect(answer.status).toBe(307)
    expect(elsewhere.asked).toEqual([])
  })

  it.each([
    [400, { message: 'the proof does not hold' }, 'service_refused', 'answered 400 to GET http://127.0.0.1:'],
    [400, { message: 'the proof does not hold' }, 'service_refused', ': the proof does not hold'],
    [403, 'plain words', 'service_refused', ': plain words'],
    [404, { message: 7 }, 'service_refused', ': {"message":7}'],
    [429, '', 'service_throttled', 'answered 429'],
    [500, { message: 'down' }, 'service_failed', ': down'],
    [503, { message: 'down' }, 'service_failed', ': down'],
  ] as const)('that ends with %s and %j is %s', async (status, body, code, text) => {
    const fake = await fakeService(() => ({ status, body }))
    const asked = request(fake.url)
    const failure = refusedBy(asked, await askService(await testClient(), asked))
    expect(failure.code).toBe(code)
    expect(failure.message).toContain(text)
  })

  it('attack: what a service says cannot write on the terminal, nor fill it', async () => {
    const fake = await fakeService(() => ({ status: 400, body: { message: `\u001b[2J\r\u202eevil${'x'.repeat(5000)}` } }))
    const asked = request(fake.url)
    const { message } = refusedBy(asked, await askService(await testClient(), asked))
    expect(message).not.toMatch(/\p{C}/u)
    expect(message.length).toBeLessThan(500)
  })
})

describe('the address of a service', () => {
  it('is a base with a path below it, whatever slashes the base ends with', () => {
    for (const base of ['https://sign.example/fulcio', 'https://sign.example/fulcio/', 'https://sign.example/fulcio//']) {
      expect(serviceUrl(base, 'api/v2/signingCert').href).toBe('https://sign.example/fulcio/api/v2/signingCert')
    }
    expect(serviceUrl('https://sign.example?a=1#b', 'x').href).toBe('https://sign.example/x')
    expect(serviceUrl('https://sign.example/tsa/api/v1/timestamp', '').href).toBe('https://sign.example/tsa/api/v1/timestamp')
  })

  it.each(['sign.example', 'file:///etc/passwd', 'https://user:secret@sign.example', 'javascript:1', ''])(
    '%j is none, and no password is shown',
    async (base) => {
      const failure = await failureOf(() => serviceUrl(base, 'x'))
      expect(failure.code).toBe('usage')
      expect(failure.found).not.toContain('secret')
    },
  )
})
