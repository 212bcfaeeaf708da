import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type BrowserLogin, loginByBrowser } from '../../src/oidc/browser.ts'
import { type DevicePrompt, loginByDevice } from '../../src/oidc/device.ts'
import { discoverProvider, type OpenIdProvider } from '../../src/oidc/provider.ts'
import { tokenOf } from '../keyless/tokens.ts'
import { type Answer, type Asked, everythingIn, failureOf, fakeService, testClient } from '../services/fake-service.ts'

const who = { id: 'sigstore' }
const form = (asked: Asked | undefined): URLSearchParams => new URLSearchParams(asked?.body)

function providerAt(url: string): OpenIdProvider {
  return { issuer: url, authorizationEndpoint: `${url}/auth`, tokenEndpoint: `${url}/token`, deviceAuthorizationEndpoint: `${url}/device` }
}

describe('an identity provider', () => {
  it('is discovered below its own name', async () => {
    const fake = await fakeService(({ headers }) => ({
      body: { issuer: `http://${headers.host}/oidc`, authorization_endpoint: 'https://a', token_endpoint: 'https://t', more: 1 },
    }))
    expect(await discoverProvider(await testClient(), `${fake.url}/oidc`)).toEqual({
      issuer: `${fake.url}/oidc`,
      authorizationEndpoint: 'https://a',
      tokenEndpoint: 'https://t',
    })
    expect(fake.asked[0]?.path).toBe('/oidc/.well-known/openid-configuration')
  })

  it.each<[string, Answer, string]>([
    [
      'attack: that calls itself otherwise',
      { body: { issuer: 'https://other', authorization_endpoint: 'https://a', token_endpoint: 'https://t' } },
      'service_response_malformed',
    ],
    ['that names no endpoints', { body: { issuer: '' } }, 'service_response_malformed'],
    ['that is none', { status: 404 }, 'service_refused'],
    ['that says nothing', { body: '' }, 'service_response_malformed'],
  ])('%s is refused', async (_name, answer, code) => {
    const fake = await fakeService(() => answer)
    expect((await failureOf(discoverProvider(await testClient(), fake.url))).code).toBe(code)
  })
})

describe('a login in a browser', () => {
  /** A login where the browser does `visit` with the address that it was given. `token` answers the exchange of the code. */
  async function login(
    visit: (url: URL) => unknown,
    token: (asked: Asked, url: URL) => Answer,
    more: Partial<BrowserLogin> = {},
    deadlineMs?: number,
  ) {
    let shown = new URL('http://nowhere')
    const fake = await fakeService((asked) => token(asked, shown))
    const open = (url: string): void => {
      shown = new URL(url)
      visit(shown)
    }
    return { fake, token: loginByBrowser(await testClient(deadlineMs), providerAt(fake.url), who, { open, ...more }), shown: () => shown }
  }

  const back = (url: URL, parameters: Record<string, string>): Promise<Response> => {
    const redirect = new URL(url.searchParams.get('redirect_uri') ?? '')
    for (const [name, value] of Object.entries(parameters)) redirect.searchParams.set(name, value)
    return fetch(redirect)
  }
  /** First line of the answer to a request that no client would send. */
  const rawAnswer = (port: number, first: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(`${first}\r\nhost: x\r\nconnection: close\r\n\r\n`))
      socket.once('data', (data: Buffer) => resolve(data.toString().split('\r\n')[0] ?? ''))
      socket.once('error', reject)
    })
  const granted = (url: URL): Promise<Response> => back(url, { state: url.searchParams.get('state') ?? '', code: 'the code' })
  const tokenFor = (_: Asked, url: URL): Answer => ({
    body: { id_token: tokenOf({ nonce: url.searchParams.get('nonce') ?? '', sub: 'a' }) },
  })

  it('asks for a code with PKCE, state and nonce, and comes back to this machine', async () => {
    const { fake, token, shown } = await login(granted, tokenFor)
    expect(await token).toContain('.')
    const asked = Object.fromEntries(shown().searchParams)
    expect(asked).toMatchObject({ response_type: 'code', client_id: 'sigstore', scope: 'openid email', code_challenge_method: 'S256' })
    expect(new URL(asked['redirect_uri'] ?? '').hostname).toBe('localhost')
    const sent = form(fake.asked[0])
    expect(
      createHash('sha256')
        .update(sent.get('code_verifier') ?? '')
        .digest('base64url'),
    ).toBe(asked['code_challenge'])
    expect(Object.fromEntries(sent)).toMatchObject({
      grant_type: 'authorization_code',
      code: 'the code',
      redirect_uri: asked['redirect_uri'],
    })
  })

  it('attack: another site that guesses changes nothing, and learns nothing', async () => {
    const guesses: number[] = []
    const { token, fake } = await login(async (url) => {
      for (const state of ['', 'guess', `${url.searchParams.get('state')}x`]) {
        guesses.push((await back(url, { state, code: 'of the attacker' })).status)
      }
      guesses.push((await fetch(new URL('/other', url.searchParams.get('redirect_uri') ?? ''))).status)
      await granted(url)
    }, tokenFor)
    await token
    expect(guesses).toEqual([404, 404, 404, 404])
    expect(form(fake.asked[0]).get('code')).toBe('the code')
  })

  it('attack: a page or program of this machine that asks for what is no URL does not end the login', async () => {
    const answers: string[] = []
    const { token } = await login(async (url) => {
      const port = Number(new URL(url.searchParams.get('redirect_uri') ?? '').port)
      for (const target of ['//', 'http://[', '*', '/auth/callback?state=%']) answers.push(await rawAnswer(port, `GET ${target} HTTP/1.1`))
      await granted(url)
    }, tokenFor)
    expect(await token).toContain('.')
    expect(answers.every((answer) => /^HTTP\/1\.1 40[04] /.test(answer))).toBe(true)
  })

  it.each([
    'file:///etc/passwd',
    'smb://attacker/share',
    'javascript:alert(1)',
    'http://idp.example/auth',
    'https://a:b@idp.example/',
    '-h',
  ])('attack: a provider whose page would be %s has nothing opened on this machine', async (authorizationEndpoint) => {
    const opened: string[] = []
    const provider = { ...providerAt('https://idp.example'), authorizationEndpoint }
    const login = loginByBrowser(await testClient(), provider, who, { open: (url) => opened.push(url) })
    expect((await failureOf(login)).code).toBe('service_response_malformed')
    expect(opened).toEqual([])
  })

  it('attack: a token of another login is refused', async () => {
    for (const claims of [{ nonce: 'of another' }, {}]) {
      const { token } = await login(granted, () => ({ body: { id_token: tokenOf(claims) } }))
      expect(await failureOf(token)).toMatchObject({ code: 'service_response_malformed' })
    }
    const { token } = await login(granted, () => ({ body: { id_token: 'no token' } }))
    expect((await failureOf(token)).code).toBe('service_response_malformed')
  })

  it('that the person or the provider refuses says so', async () => {
    const { token } = await login(
      (url) => back(url, { state: url.searchParams.get('state') ?? '', error: 'access_denied\u001b[2J' }),
      tokenFor,
    )
    const failure = await failureOf(token)
    expect(failure.code).toBe('service_refused')
    expect(failure.message).toContain('access_denied [2J')
  })

  it('whose code is refused shows the error and not the rest of the answer', async () => {
    const body = { error: 'invalid_grant', error_description: 'the code is old', id_token: 'secret' }
    const failure = await failureOf((await login(granted, () => ({ status: 400, body }))).token)
    expect(failure.code).toBe('service_refused')
    expect(failure.message).toContain('invalid_grant: the code is old')
    expect(everythingIn(failure)).not.toContain('secret')
  })

  it('that nobody finishes ends with the deadline', async () => {
    const { token } = await login(() => undefined, tokenFor, {}, 300)
    expect((await failureOf(token)).code).toBe('deadline_exceeded')
  })

  it.each(['https://localhost/cb', 'http://example.org/cb', 'http://127.0.0.1.example.org/', 'http://0.0.0.0/'])(
    'attack: does not come back to %s',
    async (redirectUrl) => {
      const { token } = await login(granted, tokenFor, { redirectUrl })
      expect((await failureOf(token)).code).toBe('usage')
    },
  )
})

describe('a login by a code', () => {
  async function login(answers: readonly Answer[], start: object = {}, deadlineMs?: number) {
    const shown: DevicePrompt[] = []
    const fake = await fakeService(({ path }, times) => {
      if (path !== '/device') return answers[Math.min(times - 2, answers.length - 1)] as Answer
      return {
        body: { device_code: 'device', user_code: 'ABCD-EFGH', verification_uri: 'https://sign.example/device', interval: 1, ...start },
      }
    })
    return { fake, shown, token: loginByDevice(await testClient(deadlineMs), providerAt(fake.url), who, (prompt) => shown.push(prompt)) }
  }
  const pending = { status: 400, body: { error: 'authorization_pending' } }

  it('shows address and code, asks until the person is done, and proves who asked first', async () => {
    const { fake, shown, token } = await login([pending, { body: { id_token: 'the token' } }], {
      verification_uri_complete: 'https://sign.example/device?c=1',
    })
    expect(await token).toBe('the token')
    expect(shown).toEqual([{ url: 'https://sign.example/device', code: 'ABCD-EFGH', urlWithCode: 'https://sign.example/device?c=1' }])
    const [first, ...polls] = fake.asked.map(form)
    expect(polls.length).toBe(2)
    for (const poll of polls) {
      expect(poll.get('device_code')).toBe('device')
      expect(
        createHash('sha256')
          .update(poll.get('code_verifier') ?? '')
          .digest('base64url'),
      ).toBe(first?.get('code_challenge'))
    }
  })

  it.each([
    ['the person refuses', { error: 'access_denied' }],
    ['the code has ended', { error: 'expired_token' }],
  ])('ends when %s', async (_name, body) => {
    const { token } = await login([{ status: 400, body }])
    const failure = await failureOf(token)
    expect(failure.code).toBe('service_refused')
    expect(failure.message).toContain(body.error)
  })

  it('asks at its own pace whatever interval the provider names, and ends with the deadline', async () => {
    const { token, fake } = await login([pending], { interval: 0 }, 1_500)
    expect((await failureOf(token)).code).toBe('deadline_exceeded')
    expect(fake.asked.length).toBeLessThanOrEqual(3)
  })

  it('is not to be had where the provider has none', async () => {
    const { deviceAuthorizationEndpoint: _, ...provider } = providerAt('http://127.0.0.1:1')
    expect((await failureOf(loginByDevice(await testClient(), provider, who, () => undefined))).code).toBe('not_supported')
  })
})
