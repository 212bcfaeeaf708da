import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openClient } from '@countersign/sdk/open-client'
import { loginByBrowser } from '@countersign/sdk/oidc/browser'
import { discoverProvider } from '@countersign/sdk/oidc/provider'
import { identityWorld } from './world.ts'

/** A provider upstream at which everybody is logged in already: it sends the person straight back. */
async function upstreamProvider(): Promise<{ readonly issuer: string; readonly redirects: string[] }> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const redirects: string[] = []
  const nonces = new Map<string, { readonly nonce: string; readonly challenge: string }>()
  let issuer = ''
  const token = (nonce: string): string => {
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      iss: issuer,
      sub: 'user-7',
      aud: 'countersign',
      nonce,
      iat: now,
      exp: now + 60,
      email: 'bob@corp.example',
      email_verified: true,
    }
    const text = `${encode({ alg: 'RS256', kid: 'k' })}.${encode(claims)}`
    return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`
  }
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', issuer)
    const json = (value: object, status = 200): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    if (url.pathname === '/.well-known/openid-configuration') {
      return json({
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        response_types_supported: ['code'],
        id_token_signing_alg_values_supported: ['RS256'],
      })
    }
    if (url.pathname === '/jwks') return json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'RS256', use: 'sig' }] })
    if (url.pathname === '/auth') {
      const back = new URL(url.searchParams.get('redirect_uri') ?? '')
      redirects.push(back.href)
      nonces.set('code', { nonce: url.searchParams.get('nonce') ?? '', challenge: url.searchParams.get('code_challenge') ?? '' })
      back.searchParams.set('code', 'code')
      back.searchParams.set('state', url.searchParams.get('state') ?? '')
      return response.writeHead(302, { location: back.href }).end()
    }
    void body(request).then((form) => {
      const kept = nonces.get(form.get('code') ?? '')
      const verifies =
        createHash('sha256')
          .update(form.get('code_verifier') ?? '')
          .digest('base64url') === kept?.challenge
      const known = redirects.includes(form.get('redirect_uri') ?? '')
      if (kept === undefined || !verifies || !known) return json({ error: 'invalid_grant' }, 400)
      return json({ access_token: 'x', token_type: 'Bearer', expires_in: 60, id_token: token(kept.nonce) })
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  onTestFinished(() => void server.close())
  return { issuer, redirects }
}

async function body(request: IncomingMessage): Promise<URLSearchParams> {
  let text = ''
  for await (const part of request) text += String(part)
  return new URLSearchParams(text)
}

/** Follows redirects with cookies by their paths, as a browser does, and the first link to a provider on a login page. */
async function browse(url: string): Promise<void> {
  const cookies: { readonly pair: string; readonly path: string; readonly host: string }[] = []
  for (let next: string | undefined = url, steps = 0; next !== undefined && steps < 12; steps++) {
    const at: URL = new URL(next)
    const sent = cookies.filter(({ path, host }) => host === at.host && at.pathname.startsWith(path)).map(({ pair }) => pair)
    const answer: Response = await fetch(at, { redirect: 'manual', headers: { cookie: sent.join('; ') } })
    for (const cookie of answer.headers.getSetCookie()) {
      const [pair = '', ...attributes] = cookie.split('; ')
      cookies.push({ pair, host: at.host, path: attributes.find((part) => part.startsWith('path='))?.slice(5) ?? '/' })
    }
    const link = /<a class="button" href="([^"]+)"/.exec(await answer.text())?.[1]
    const to = answer.headers.get('location') ?? link
    next = to === undefined || to === null ? undefined : new URL(to, at).href
  }
}

describe('federation', () => {
  it('lets people in whom another provider vouches for, who comes back to one address that can be registered there', async () => {
    const { issuer, redirects } = await upstreamProvider()
    const world = await identityWorld([{ name: 'corp', title: 'Corp', issuer, clientId: 'countersign' }])
    const client = await openClient({ environment: {} })
    const provider = await discoverProvider(client, world.issuer)
    const login = async (): Promise<Record<string, unknown>> => {
      const token = await loginByBrowser(client, provider, { id: 'sigstore' }, { open: (url) => void browse(url) })
      return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
    }
    const first = await login()
    expect(first).toMatchObject({ email: 'bob@corp.example', email_verified: true, federated_claims: { connector_id: issuer } })
    expect((await login())['sub']).toBe(first['sub'])
    expect(new Set(redirects)).toEqual(new Set([`${world.issuer}/return/corp`]))
    client.close()
  })

  it('goes nowhere with a state that names no login, or a provider that is not known', async () => {
    const world = await identityWorld([{ name: 'corp', title: 'Corp', issuer: 'http://127.0.0.1:9/', clientId: 'x' }])
    for (const path of ['corp?state=//evil.example/.x', 'corp?state=abc', 'corp', 'other?state=abc.def', 'corp?state=a.b&state=c.d']) {
      const answer = await fetch(`${world.issuer}/return/${path}`, { redirect: 'manual' })
      expect([path, answer.status]).toEqual([path, 403])
    }
  })
})
