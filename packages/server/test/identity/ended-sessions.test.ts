import { describe, expect, it } from 'vitest'
import { createAccount, disableAccount } from '@countersign/server/identity/accounts/accounts'
import { enrolOneTimePassword, setPassword } from '@countersign/server/identity/accounts/login'
import { databaseAdapter } from '@countersign/server/identity/provider/adapter'
import { begin, browser, codeOf, exchange, followed, form, located } from './browser.ts'
import { type IdentityWorld, identityWorld } from './world.ts'

const by = { actor: 'test', from: 'local' }
const password = 'correct horse battery'
const person = { name: 'ada', email: 'ada@example.org', kind: 'person' } as const
const right = { method: 'POST', headers: form, body: `name=ada&password=${password}` }

/** What makes it necessary that everybody logs in again. */
const ends = {
  'the password is set anew': async (world, account) => setPassword(world, account, 'another horse battery', by),
  'the account is disabled': async (world) => disableAccount(world, 'ada', by),
  'one-time passwords are demanded': async (world, account) => {
    await enrolOneTimePassword(world, account, 'Countersign', by)
  },
} satisfies Record<string, (world: IdentityWorld, account: Awaited<ReturnType<typeof createAccount>>) => Promise<void>>

type End = keyof typeof ends

async function worldOfAda(): Promise<{ readonly world: IdentityWorld; readonly end: (how: End) => Promise<void> }> {
  const world = await identityWorld()
  const account = await createAccount(world, person, by)
  await setPassword(world, account, password, by)
  return { world, end: async (how) => ends[how](world, account) }
}

describe.each(Object.keys(ends) as End[])('attack: somebody who is logged in as another when %s', { timeout: 60_000 }, (how) => {
  it('is logged out: their session signs nothing, and their code gives no token', async () => {
    const { world, end } = await worldOfAda()
    const visit = browser()
    const code = await codeOf(await visit(await begin(world, visit), right), world, visit)
    const asked = await begin(world, visit)
    expect(await (await visit(asked)).text()).toContain('Sign as yourself?')
    await end(how)
    expect([(await exchange(world, code)).status, code === '']).toEqual([400, false])
    expect((await visit(asked, { method: 'POST', headers: form, body: '' })).headers.get('location') ?? '').not.toContain('code=')
    expect(await (await visit(await begin(world, visit))).text()).toContain('name="password"')
  })

  it('gets no token for a login that they had come through, but not come back from', async () => {
    const { world, end } = await worldOfAda()
    const visit = browser()
    const done = await visit(await begin(world, visit), right)
    expect(done.status).toBe(303)
    await end(how)
    expect(await codeOf(done, world, visit)).toBe('')
  })
})

describe('a person who logs out where they are asked to sign as themselves', { timeout: 60_000 }, () => {
  it('signs nothing by that, and logs in anew the next time, as whom they like', async () => {
    const { world } = await worldOfAda()
    const visit = browser()
    expect(await codeOf(await visit(await begin(world, visit), right), world, visit)).not.toBe('')
    const asked = await begin(world, visit)
    const out = await visit(asked, { method: 'POST', headers: form, body: 'logout=yes' })
    expect([out.status, await out.text()]).toEqual([200, expect.stringContaining('You are logged out')])
    expect((await visit(asked, { method: 'POST', headers: form, body: '' })).headers.get('location') ?? '').not.toContain('code=')
    expect(await (await visit(await begin(world, visit))).text()).toContain('name="password"')
    expect(await codeOf(await visit(await begin(world, visit), right), world, visit)).not.toBe('')
  })
})

describe('attack: somebody whose device was let in by another', { timeout: 60_000 }, () => {
  it('gets no token by it when the password is set anew', async () => {
    const { world, end } = await worldOfAda()
    const visit = browser()
    const asked = await fetch(`${world.issuer}/device/auth`, {
      method: 'POST',
      headers: form,
      body: 'client_id=sigstore&scope=openid+email',
    })
    const device = (await asked.json()) as { readonly device_code: string; readonly verification_uri_complete: string }
    const fields = (html: string): string =>
      new URLSearchParams(
        [...html.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(([, name = '', value = '']): [string, string] => [name, value]),
      ).toString()
    const post = async (body: string): Promise<Response> => visit(`${world.issuer}/device`, { method: 'POST', headers: form, body })
    const confirm = await (await post(fields(await (await visit(device.verification_uri_complete)).text()))).text()
    const login = located(await post(fields(confirm)), world)
    const done = await followed(await visit(login, right), world, visit)
    expect(await done.text()).toContain('You are logged in')
    await end('the password is set anew')
    const body = `grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=sigstore&device_code=${device.device_code}`
    const answer = await fetch(`${world.issuer}/token`, { method: 'POST', headers: form, body })
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: 'invalid_grant' }])
  })
})

describe('attack: a request that still runs while its session ends', () => {
  it('does not bring the session back by writing it once more', async () => {
    const { world, end } = await worldOfAda()
    const visit = browser()
    await codeOf(await visit(await begin(world, visit), right), world, visit)
    const [row] = await world.database.raw.query("select account from identity_provider where model = 'Session'")
    const sessions = databaseAdapter({ statements: world.database.raw, ...world, findClient: async () => undefined })('Session')
    const payload = { accountId: String(row?.['account']), uid: 'u' }
    await sessions.upsert('one', payload, 600)
    expect(await sessions.find('one')).toMatchObject(payload)
    await end('the password is set anew')
    await sessions.upsert('one', payload, 600)
    expect(await sessions.find('one')).toBeUndefined()
    expect(await sessions.findByUid('u')).toBeUndefined()
    await sessions.upsert('two', payload, 600)
    expect(await sessions.find('two')).toMatchObject(payload)
  })
})
