import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createAttempts } from '@countersign/server/identity/accounts/attempts'
import { createAccount, disableAccount } from '@countersign/server/identity/accounts/accounts'
import { createLoginLink, loginByPassword, setPassword } from '@countersign/server/identity/accounts/login'
import { renewServiceSecret } from '@countersign/server/identity/accounts/service-secret'
import { databaseAdapter } from '@countersign/server/identity/provider/adapter'
import { loginPace } from '@countersign/server/identity/provider/pace'
import { federatedAccount, identityIn } from '@countersign/server/identity/provider/upstream'
import { begin, browser, codeOf, exchange, form, located, verifier } from './browser.ts'
import { type IdentityWorld, identityStore, identityWorld } from './world.ts'

const by = { actor: 'test', from: 'local' }
const password = 'correct horse battery'
const person = { name: 'ada', email: 'ada@example.org', kind: 'person' } as const

function adapterOf({ database, clock, secrets }: IdentityWorld): ReturnType<typeof databaseAdapter> {
  return databaseAdapter({ statements: database.raw, clock, secrets, findClient: async () => undefined })
}

describe('attack: who reads the log of the server', () => {
  it('finds no login link in it, whether it was looked at, used, or asked for in a wrong way', async () => {
    const world = await identityWorld()
    const secret = await createLoginLink(world, await createAccount(world, person, by), by)
    const link = `${world.issuer}/welcome/${secret}`
    await fetch(`${link}/`)
    await fetch(link, { method: 'PUT' })
    await fetch(link)
    expect((await fetch(link, { method: 'POST', headers: form, body: `password=${password}` })).status).toBe(200)
    await expect.poll(() => world.lines.filter((line) => line.includes('/oidc/welcome/')).length).toBeGreaterThanOrEqual(4)
    expect(world.lines.join('')).not.toContain(secret)
  })

  it('finds none either that was written otherwise: encoded, with the host before it, in capitals, after another slash', async () => {
    const world = await identityWorld()
    const { host } = new URL(world.issuer)
    const secret = 'S3cr3t-of-a-link'
    const ways = [
      `/oidc/%77elcome/${secret}`,
      `/oidc/welcome%2f${secret}`,
      `http://${host}/oidc/welcome/${secret}`,
      `/OIDC/Welcome/${secret}`,
      `//oidc/welcome/${secret}`,
    ]
    for (const target of ways) await askFor(target, host)
    await expect.poll(() => world.lines.filter((line) => line.includes('"msg":"request"')).length).toBe(ways.length)
    expect(world.lines.join('')).not.toContain(secret)
  })
})

describe('attack: who got hold of a login link, and does not want to set a password yet', () => {
  it('does not keep it for longer by passwords that are too short, nor gets another one', async () => {
    const world = await identityWorld()
    const link = `${world.issuer}/welcome/${await createLoginLink(world, await createAccount(world, person, by), by)}`
    const post = async (text: string): Promise<Response> => fetch(link, { method: 'POST', headers: form, body: `password=${text}` })
    world.advance(14 * 60_000)
    const short = await post('short')
    expect([short.status, /action="([^"]*)"/.exec(await short.text())?.[1]]).toEqual([400, new URL(link).pathname])
    expect(await world.database.raw.query('select hash from identity_links')).toHaveLength(1)
    world.advance(2 * 60_000)
    expect((await post(password)).status).toBe(400)
    expect(await (await fetch(link)).text()).toContain('has ended')
  })
})

/** Asks for a target as it is written. */
function askFor(target: string, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(host.split(':')[1]), '127.0.0.1', () => {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    })
    socket.resume()
    socket.once('error', reject)
    socket.once('close', () => resolve())
  })
}

describe('attack: a caller that says where it is', () => {
  it('does not write the network address of somebody else into the audit log', async () => {
    const world = await identityWorld()
    const account = await createAccount(world, { name: 'ci', email: 'ci@example.org', kind: 'service' }, by)
    const secret = await renewServiceSecret(world, account, by)
    const headers = {
      ...form,
      'x-forwarded-for': '203.0.113.66',
      authorization: `Basic ${Buffer.from(`ci:${secret}`).toString('base64')}`,
    }
    const answer = await fetch(`${world.issuer}/token`, { method: 'POST', headers, body: 'grant_type=client_credentials' })
    expect(answer.status).toBe(200)
    expect(world.events.filter(({ action }) => action === 'identity.token_issued').map(({ from }) => from)).toEqual(['127.0.0.1'])
  })
})

describe('attack: passwords guessed all at once', () => {
  it('are looked at two by two, also from everywhere, and those behind the first failures not at all', async () => {
    const store = await identityStore()
    await setPassword(store, await createAccount(store, person, by), password, by)
    const ports = { ...store, attempts: createAttempts(store.clock) }
    for (let i = 0; i < 15; i++) ports.attempts.failed({ name: 'ada', from: `198.51.100.${i}`, device: undefined })
    const guesses = await Promise.allSettled(
      Array.from({ length: 60 }, (_, i) => loginByPassword(ports, { name: 'ada', password: `a wrong guess ${i}` }, `192.0.2.${i}`)),
    )
    expect(guesses.every(({ status }) => status === 'rejected')).toBe(true)
    const looked = store.events.filter(({ action, outcome }) => action === 'identity.login' && outcome === 'refused')
    expect(looked.length).toBeGreaterThanOrEqual(5)
    expect(looked.length).toBeLessThanOrEqual(6)
    store.advance(16 * 60_000)
    expect(await loginByPassword(ports, { name: 'ada', password }, '192.0.2.1')).toMatchObject({ name: 'ada' })
  })
})

describe('attack: somebody whose account was disabled while they were logged in', () => {
  it('gets no token for the code that they have, and no other code by their session', async () => {
    const world = await identityWorld()
    await setPassword(world, await createAccount(world, person, by), password, by)
    const visit = browser()
    const login = await begin(world, visit)
    const done = await visit(login, { method: 'POST', headers: form, body: `name=ada&password=${password}` })
    const code = await codeOf(done, world, visit)
    expect(code).not.toBe('')
    await disableAccount(world, 'ada', by)
    const refused = await exchange(world, code)
    expect([refused.status, await refused.json()]).toMatchObject([400, { error: 'invalid_grant' }])
    const again = await begin(world, visit)
    expect(again).toContain('/oidc/login/')
    expect(await (await visit(again)).text()).toContain('name="password"')
    const resumed = await visit(again.replace('/login/', '/auth/'))
    expect(resumed.headers.get('location') ?? '').not.toContain('code=')
  })
})

describe('attack: a provider upstream that sends a person back as if another had been asked', () => {
  it('is refused: the answer must come by the way of the provider that the login began with', async () => {
    const upstream = { title: 'One', issuer: 'http://127.0.0.1:9/', clientId: 'here' }
    const world = await identityWorld([
      { ...upstream, name: 'one' },
      { ...upstream, name: 'other', title: 'Other' },
    ])
    const visit = browser()
    const login = await begin(world, visit)
    const [uid = ''] = login.split('/').slice(-1)
    const state = { state: 's', nonce: 'n', verifier, name: 'one' }
    const interactions = adapterOf(world)('Interaction')
    await interactions.upsert(uid, { ...(await interactions.find(uid)), result: { upstream: state } }, 600)
    const mixedUp = await visit(`${login}/return/other?code=c&state=s`)
    expect([mixedUp.status, await mixedUp.text()]).toMatchObject([
      expect.any(Number),
      expect.stringContaining('this login did not begin here'),
    ])
    const asked = await visit(`${login}/return/one?code=c&state=s`)
    expect(await asked.text()).toContain('cannot be reached')
  })
})

describe('attack: a provider upstream that vouches for an address of another domain', () => {
  it.each(['ada@attackers-example.org', 'ada@example.org.attacker.example', 'ada@example.organic', 'ada@sub.example.org'])(
    'is refused for %s, also where the operator wrote the domain without its sign',
    (email) => {
      for (const domain of ['@example.org', 'example.org', '@EXAMPLE.org'])
        expect(() => identityIn({ title: 'One', domains: [domain] }, { sub: 's', email, email_verified: true })).toThrow(/may not speak/)
    },
  )

  it('is believed for its own', () => {
    for (const domain of ['@example.org', 'example.org'])
      expect(identityIn({ title: 'One', domains: [domain] }, { sub: 's', email: 'ada@Example.org', email_verified: true }).subject).toBe(
        's',
      )
  })
})

describe('attack: who reads the database', () => {
  it('finds no code, session or device code there that would log them in', async () => {
    const world = await identityWorld()
    await setPassword(world, await createAccount(world, person, by), password, by)
    const visit = browser()
    const login = await begin(world, visit)
    const done = await visit(login, { method: 'POST', headers: form, body: `name=ada&password=${password}` })
    const sent = await visit(located(done, world))
    const code = new URL(located(sent, world)).searchParams.get('code') ?? ''
    const [, session = ''] = /countersign_session=([^;]+)/.exec(sent.headers.getSetCookie().join('\n')) ?? []
    const asked = await fetch(`${world.issuer}/device/auth`, { method: 'POST', headers: form, body: 'client_id=sigstore&scope=openid' })
    const device = (await asked.json()) as { readonly device_code: string; readonly user_code: string }
    const secrets = [code, session, device.device_code, device.user_code.replace('-', ''), 'ada@example.org']
    expect(secrets.every((secret) => secret.length > 7)).toBe(true)
    const rows = JSON.stringify(await world.database.raw.query('select * from identity_provider'))
    expect(secrets.filter((secret) => rows.includes(secret))).toEqual([])
  })
})

describe('attack: a page that opens one of ours while a key is held down', () => {
  it('does not have its device logged in, or a program sign, by that key', async () => {
    const world = await identityWorld()
    await setPassword(world, await createAccount(world, person, by), password, by)
    const visit = browser()
    const done = await visit(await begin(world, visit), { method: 'POST', headers: form, body: `name=ada&password=${password}` })
    await visit(located(done, world))
    const asksToSign = await (await visit(await begin(world, visit))).text()
    expect(asksToSign).toContain('Sign as yourself?')
    const asked = await fetch(`${world.issuer}/device/auth`, { method: 'POST', headers: form, body: 'client_id=sigstore&scope=openid' })
    const { verification_uri_complete: url } = (await asked.json()) as { readonly verification_uri_complete: string }
    const sending = await (await visit(url)).text()
    const fields = [...sending.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(([, name = '', value = '']): [string, string] => [
      name,
      value,
    ])
    const asksForCode = await (
      await visit(`${world.issuer}/device`, { method: 'POST', headers: form, body: new URLSearchParams(fields).toString() })
    ).text()
    expect(asksForCode).toContain('Is this your code?')
    for (const html of [asksToSign, asksForCode]) expect(html).not.toContain('autofocus')
  })
})

describe('attack: somebody who signs in the name of another, unnoticed', () => {
  it('leaves every token in the audit log, also those for a session of before', async () => {
    const world = await identityWorld()
    await setPassword(world, await createAccount(world, person, by), password, by)
    const visit = browser()
    const logins = [`name=ada&password=${password}`, '']
    for (const body of logins) {
      const done = await visit(await begin(world, visit), { method: 'POST', headers: form, body })
      expect((await exchange(world, await codeOf(done, world, visit))).status).toBe(200)
    }
    const issued = world.events.filter(({ action }) => action === 'identity.token_issued')
    expect(issued).toMatchObject(logins.map(() => ({ actor: 'ada', subject: 'ada', from: '127.0.0.1', outcome: 'done' })))
  })

  it('comes not in by a provider upstream with an account that is disabled, and is on record', async () => {
    const store = await identityStore()
    const upstream = { name: 'one', title: 'One', issuer: 'https://one.example', clientId: 'here' }
    const identity = { subject: 's', email: 'bob@example.org' }
    const { name } = await federatedAccount(store, upstream, identity, '192.0.2.1')
    await disableAccount(store, name, by)
    await expect(federatedAccount(store, upstream, identity, '192.0.2.1')).rejects.toMatchObject({ code: 'login_refused' })
    expect(store.events.filter(({ action }) => action === 'identity.login').map(({ outcome }) => outcome)).toEqual(['done', 'refused'])
  })
})

describe('attack: logins that begin and never end', () => {
  it('are bounded for each address and for all, so that nobody fills the storage under the log', () => {
    let now = Date.UTC(2026, 0, 1)
    const pace = loginPace(() => now)
    const begun = (from: string, many: number): number => Array.from({ length: many }, () => pace(from)).filter((wait) => wait === 0).length
    expect(begun('192.0.2.1', 1000)).toBe(300)
    expect(begun('192.0.2.2', 10)).toBe(10)
    expect(Array.from({ length: 5000 }, (_, i) => begun(`198.51.100.${i}`, 1)).reduce((sum, each) => sum + each, 0)).toBe(1200 - 310)
    expect(pace('192.0.2.3')).toBe(60)
    now += 60_000
    expect(begun('192.0.2.1', 1)).toBe(1)
  })

  it('are told to come back, and great forms are not read', async () => {
    const world = await identityWorld()
    const asked = Array.from({ length: 620 }, () => fetch(`${world.issuer}/auth?client_id=nobody`, { redirect: 'manual' }))
    const answers = await Promise.all(asked.map(async (answer) => (await answer).status))
    expect(answers.filter((status) => status === 429).length).toBeGreaterThanOrEqual(10)
    expect((await fetch(`${world.issuer}/jwks`)).status).toBe(200)
    const great = await fetch(`${world.issuer}/token`, { method: 'POST', headers: form, body: `a=${'x'.repeat(20_000)}` })
    expect(great.status).toBe(413)
  })
})
