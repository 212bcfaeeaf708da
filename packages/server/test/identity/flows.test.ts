import { createHash, createPublicKey, verify, type JsonWebKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { openClient } from '@countersign/sdk/open-client'
import { loginByBrowser } from '@countersign/sdk/oidc/browser'
import { loginByDevice } from '@countersign/sdk/oidc/device'
import { discoverProvider, identityTokenIn, postForm } from '@countersign/sdk/oidc/provider'
import { createAttempts } from '@countersign/server/identity/accounts/attempts'
import { createAccount, disableAccount } from '@countersign/server/identity/accounts/accounts'
import { enrolOneTimePassword, setPassword } from '@countersign/server/identity/accounts/login'
import { codeOfStep } from '@countersign/server/identity/accounts/one-time-password'
import { renewServiceSecret } from '@countersign/server/identity/accounts/service-secret'
import { issueToken } from '@countersign/server/identity/token'
import { type IdentityWorld, identityWorld } from './world.ts'

const by = { actor: 'test', from: 'local' }
const who = { id: 'sigstore' }
const password = 'correct horse battery'

async function ada(world: IdentityWorld): Promise<Awaited<ReturnType<typeof createAccount>>> {
  const account = await createAccount(world, { name: 'ada', email: 'ada@example.org', kind: 'person' }, by)
  await setPassword(world, account, password, by)
  return account
}

/** A browser without pictures: keeps cookies, follows redirects, fills in forms. */
function browser(): {
  readonly get: (url: string) => Promise<Page>
  readonly submit: (page: Page, form: Record<string, string>) => Promise<Page>
} {
  const cookies = new Map<string, string>()
  const visit = async (url: string, init: RequestInit = {}): Promise<Page> => {
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
    const answer = await fetch(url, { ...init, redirect: 'manual', headers: { ...headers, ...(init.headers as Record<string, string>) } })
    for (const cookie of answer.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';')
      cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
    }
    const location = answer.headers.get('location')
    if (answer.status >= 300 && answer.status < 400 && location !== null) return visit(new URL(location, url).href)
    return { url, status: answer.status, html: await answer.text(), headers: answer.headers }
  }
  return {
    get: (url) => visit(url),
    submit: (page, form) => {
      const action = /<form[^>]* action="([^"]*)"/.exec(page.html)?.[1] ?? page.url
      const hidden = Object.fromEntries(
        [...page.html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
      )
      const body = new URLSearchParams({ ...hidden, ...form }).toString()
      return visit(new URL(action.replaceAll('&#38;', '&'), page.url).href, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      })
    },
  }
}

type Page = { readonly url: string; readonly status: number; readonly html: string; readonly headers: Headers }

async function claims(world: IdentityWorld, token: string): Promise<Record<string, unknown>> {
  const [head = '', body = '', signature = ''] = token.split('.')
  const { keys } = (await (await fetch(`${world.issuer}/jwks`)).json()) as { keys: JsonWebKey[] }
  const { kid, alg } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string; alg: string }
  expect(alg).toBe('RS256')
  const key = createPublicKey({ key: keys.find((one) => one['kid'] === kid) as JsonWebKey, format: 'jwk' })
  expect(verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))).toBe(true)
  return JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>
}

describe('the OpenID provider', () => {
  it('is discovered as stock clients expect it: S256, RS256, a device endpoint', async () => {
    const { issuer } = await identityWorld()
    const document = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as Record<string, unknown>
    expect(document).toMatchObject({
      issuer,
      code_challenge_methods_supported: ['S256'],
      id_token_signing_alg_values_supported: ['RS256'],
      response_types_supported: ['code'],
      device_authorization_endpoint: `${issuer}/device/auth`,
      jwks_uri: `${issuer}/jwks`,
    })
  })

  it('gives a token with a verified address to whoever logs in with a browser, at any loopback port', async () => {
    const world = await identityWorld()
    const account = await ada(world)
    const client = await openClient({ environment: {} })
    const user = browser()
    const pages: string[] = []
    const token = await loginByBrowser(client, await discoverProvider(client, world.issuer), who, {
      open: (url) => {
        void (async () => {
          const form = await user.get(url)
          pages.push((await user.submit(form, { name: 'ada', password: 'wrong, and long enough' })).html)
          pages.push((await user.submit(form, { name: 'ada', password })).html)
        })()
      },
    })
    client.close()
    expect(await claims(world, token)).toMatchObject({
      iss: world.issuer,
      aud: 'sigstore',
      sub: account.id,
      email: 'ada@example.org',
      email_verified: true,
    })
    expect(await claims(world, token)).not.toHaveProperty('federated_claims')
    expect(pages[0]).toContain('is wrong')
  })

  it('demands the one-time password where one is set, and takes each code once', async () => {
    const world = await identityWorld()
    const account = await ada(world)
    const ports = { ...world, attempts: createAttempts(world.clock) }
    const uri = await enrolOneTimePassword(ports, account, 'Countersign', by)
    const secret = new URL(uri).searchParams.get('secret') ?? ''
    const { loginByPassword } = await import('@countersign/server/identity/accounts/login')
    const step = Math.floor(world.clock() / 30_000)
    const code = codeOfStep(fromBase32(secret), step)
    await expect(loginByPassword(ports, { name: 'ada', password }, 'x')).rejects.toMatchObject({ code: 'login_refused' })
    expect((await loginByPassword(ports, { name: 'ada', password, code }, 'x')).id).toBe(account.id)
    await expect(loginByPassword(ports, { name: 'ada', password, code }, 'x')).rejects.toMatchObject({ code: 'login_refused' })
  })

  it('has no one-time passwords for programs, which log in with a secret', async () => {
    const world = await identityWorld()
    const account = await createAccount(world, { name: 'robot', email: 'robot@example.org', kind: 'service' }, by)
    await expect(enrolOneTimePassword(world, account, 'Countersign', by)).rejects.toMatchObject({ code: 'account_malformed' })
  })

  it('lets a person log in on another device by a code', async () => {
    const world = await identityWorld()
    await ada(world)
    const client = await openClient({ environment: {} })
    const user = browser()
    const token = await loginByDevice(client, await discoverProvider(client, world.issuer), who, ({ urlWithCode, code }) => {
      void (async () => {
        const enter = await user.get(urlWithCode ?? '')
        const confirm = enter.html.includes('deviceConfirmForm') ? enter : await user.submit(enter, { user_code: code })
        expect(confirm.html).toContain(code)
        const login = await user.submit(confirm, { confirm: 'yes' })
        await user.submit(login, { name: 'ada', password })
      })()
    })
    client.close()
    expect(await claims(world, token)).toMatchObject({ email: 'ada@example.org', email_verified: true, aud: 'sigstore' })
  })

  it('gives a service account a token for its secret', async () => {
    const world = await identityWorld()
    const account = await createAccount(world, { name: 'builder', email: 'builder@example.org', kind: 'service' }, by)
    const secret = await renewServiceSecret(world, account, by)
    const client = await openClient({ environment: {} })
    const provider = await discoverProvider(client, world.issuer)
    const ask = (id: string, given: string) =>
      postForm(client, provider.tokenEndpoint, { id, secret: given }, { grant_type: 'client_credentials' })
    const token = identityTokenIn(await ask('builder', secret))
    expect(await claims(world, token)).toMatchObject({ email: 'builder@example.org', sub: account.id, aud: 'sigstore' })
    expect((await ask('builder', 'another secret')).status).toBe(401)
    await disableAccount(world, 'builder', by)
    expect((await ask('builder', secret)).status).toBe(401)
    client.close()
  })

  it('refuses an authorization request without PKCE, and one that would send the code to another host', async () => {
    const { issuer } = await identityWorld()
    const ask = (more: Record<string, string>) =>
      fetch(
        `${issuer}/auth?${new URLSearchParams({ client_id: 'sigstore', response_type: 'code', scope: 'openid email', redirect_uri: 'http://localhost:4711/auth/callback', ...more }).toString()}`,
        { redirect: 'manual' },
      )
    const plain = await ask({})
    expect(plain.headers.get('location')).toContain('error=invalid_request')
    const challenge = { code_challenge: createHash('sha256').update('x').digest('base64url'), code_challenge_method: 'S256' }
    expect((await ask({ ...challenge, redirect_uri: 'https://evil.example/auth/callback' })).status).toBe(400)
    expect((await ask({ ...challenge, redirect_uri: 'http://localhost:4711/other' })).status).toBe(400)
    expect((await ask(challenge)).headers.get('location')).toContain('/oidc/login/')
  })

  it('believes no host that the caller names', async () => {
    const { issuer } = await identityWorld()
    const { port } = new URL(issuer)
    const { request } = await import('node:http')
    const body = await new Promise<string>((resolve, reject) => {
      const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }
      request({ port, host: '127.0.0.1', path: '/oidc/.well-known/openid-configuration', headers }, (answer) => {
        answer.setEncoding('utf8')
        let text = ''
        answer.on('data', (part: string) => (text += part)).on('end', () => resolve(text))
      })
        .on('error', reject)
        .end()
    })
    expect(body).not.toContain('evil')
    expect(JSON.parse(body)).toMatchObject({ jwks_uri: `${issuer}/jwks` })
  })
})

describe('a token of the command line', () => {
  it('is RS256, for sigstore, for ten minutes, and audited; none is made for a disabled account', async () => {
    const world = await identityWorld()
    const account = await ada(world)
    const ports = { ...world, key: await world.keys.open('oidc-1') }
    const made = await claims(world, await issueToken(ports, account, by))
    expect(Number(made['exp']) - Number(made['iat'])).toBe(600)
    expect(made).toMatchObject({ aud: 'sigstore', email: 'ada@example.org', email_verified: true, iss: world.issuer })
    expect(world.events.at(-1)).toMatchObject({ action: 'identity.token_issued', subject: 'ada' })
    await expect(issueToken(ports, { ...account, disabledAt: 1 }, by)).rejects.toMatchObject({ code: 'account_disabled' })
  })
})

function fromBase32(text: string): Uint8Array {
  const bits = Array.from(text, (letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('')
  return Uint8Array.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
}
