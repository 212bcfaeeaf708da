import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { upstreamClient } from '@countersign/server/identity/provider/upstream'
import { postTextThrough } from '@countersign/server/log/witness/post-text'

/** A proxy that answers for every host by itself, and what it was asked for. */
async function operatorsProxy(): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = []
  const server: Server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.writeHead(200, { 'content-type': 'text/plain' }).end('answered')
  })
  server.on('connect', ({ url }, socket) => {
    asked.push(`CONNECT ${url}`)
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 8\r\n\r\nanswered'))
    socket.on('error', () => undefined)
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const upstream = { name: 'corp', title: 'Corp', issuer: 'https://login.corp.example', clientId: 'here' }

describe('behind the proxy of the operator', () => {
  it.each(['HTTP_PROXY', 'http_proxy'])('witnesses are asked through %s', async (variable) => {
    const { url, asked } = await operatorsProxy()
    const answer = await postTextThrough({ [variable]: url })('http://witness.example/add-checkpoint', 'old 0', AbortSignal.timeout(5_000))
    expect(answer).toMatchObject({ status: 200, body: 'answered' })
    expect(asked.join()).toContain('witness.example')
  })

  it('providers at which people log in are asked through it', async () => {
    const { url, asked } = await operatorsProxy()
    const { begin } = upstreamClient(upstream, { HTTPS_PROXY: url })
    await expect(begin('http://localhost/oidc/return/corp', 'login')).rejects.toMatchObject({ code: 'login_refused' })
    expect(asked).toEqual(['CONNECT login.corp.example:443'])
  })

  it('what NO_PROXY names, and this machine, is not asked through it', async () => {
    const { url, asked } = await operatorsProxy()
    const here = await operatorsProxy()
    const environment = { HTTP_PROXY: url, HTTPS_PROXY: url, NO_PROXY: 'witness.invalid,login.corp.example' }
    expect((await postTextThrough(environment)(here.url, '', AbortSignal.timeout(5_000))).body).toBe('answered')
    await expect(postTextThrough(environment)('http://witness.invalid/', '', AbortSignal.timeout(5_000))).rejects.toThrow(/./)
    await expect(upstreamClient(upstream, environment).begin('http://localhost/', 'login')).rejects.toMatchObject({ code: 'login_refused' })
    expect([asked, here.asked]).toEqual([[], ['POST /']])
  })
})
