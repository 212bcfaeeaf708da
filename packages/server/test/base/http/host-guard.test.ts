import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import type { Service } from '@countersign/server/base/http/service'
import { openPort } from './port.ts'

const secrets: Service = {
  name: 'secrets',
  prefix: '/secrets',
  routes: (app) => {
    app.get('/', async () => 'for programs of this machine')
    app.post('/', async () => 'done')
  },
}

/** The status of the answer to a request under the name that a browser believes in. */
function statusUnder(url: string, host: string, path: string, method = 'GET'): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method, headers: { host } }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
    sent.once('error', reject).end()
  })
}

describe('a listener on loopback', () => {
  it('attack: a page whose name was rebound to 127.0.0.1 (DNS rebinding) reads and posts nothing', async () => {
    const { url } = await openPort([secrets], { hosts: ['sign.example.org'] })
    const port = new URL(url).port
    const names = [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'xsign.example.org',
      '192.0.2.1',
    ]
    for (const host of names) {
      for (const path of ['/secrets', '/metrics', '/healthz', '/nothing'])
        expect([host, path, await statusUnder(url, host, path)]).toEqual([host, path, 421])
      expect(await statusUnder(url, host, '/secrets', 'POST')).toBe(421)
    }
    // No name of a host at all (RFC 9110 §7.2).
    expect(await statusUnder(url, 'localhost@evil.example', '/secrets')).toBe(400)
  })

  it('answers under its own names, with and without port', async () => {
    const { url } = await openPort([secrets], { hosts: ['sign.example.org'] })
    for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1:99', '[::1]', '[::1]:80', 'sign.example.org', 'Sign.Example.Org:443'])
      expect([host, await statusUnder(url, host, '/secrets')]).toEqual([host, 200])
  })
})
