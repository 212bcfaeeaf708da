import { describe, expect, it } from 'vitest'
import { createAttempts } from '@countersign/server/identity/accounts/attempts'
import { createAccount } from '@countersign/server/identity/accounts/accounts'
import { deviceCookies, knownDevice, rememberDevice } from '@countersign/server/identity/accounts/known-device'
import { loginByPassword, setPassword } from '@countersign/server/identity/accounts/login'
import { begin, browser, codeOf, form } from './browser.ts'
import { identityStore, identityWorld } from './world.ts'

const by = { actor: 'test', from: 'local' }
const password = 'correct horse battery'
const person = { name: 'ada', email: 'ada@example.org', kind: 'person' } as const
const place = { path: '/oidc', secure: true }

/** Attempts at a clock of the test; gives how many of those made at the moment are looked at. All are wrong. */
function wrongGuesses() {
  let now = Date.UTC(2026, 0, 1)
  const attempts = createAttempts(() => now)
  const guess = (name: string, from: string, device?: string): boolean => {
    const attempt = { name, from, device }
    try {
      attempts.demandLeft(attempt)
    } catch {
      return false
    }
    attempts.failed(attempt)
    return true
  }
  return { attempts, guess, advance: (ms: number) => void (now += ms), now: () => now }
}

describe('attack: somebody who types wrong passwords to lock the owner of a name out', { timeout: 60_000 }, () => {
  it('locks nobody out but themselves: from another address the owner logs in at once', async () => {
    const store = await identityStore()
    await setPassword(store, await createAccount(store, person, by), password, by)
    const ports = { ...store, attempts: createAttempts(store.clock) }
    for (let i = 0; i < 5; i++)
      await expect(loginByPassword(ports, { name: 'ada', password: 'wrong' }, '192.0.2.1')).rejects.toThrow('is wrong')
    await expect(loginByPassword(ports, { name: 'ada', password }, '192.0.2.1')).rejects.toThrow('too many attempts failed')
    expect(await loginByPassword(ports, { name: 'ada', password }, '198.51.100.7')).toMatchObject({ name: 'ada' })
  })

  it('does not reach a device on which the owner has logged in, not even from its own address', async () => {
    const world = await identityWorld()
    await setPassword(world, await createAccount(world, person, by), password, by)
    const cookies = new Map<string, string>()
    const right = { method: 'POST', headers: form, body: `name=ada&password=${password}` }
    const first = browser(cookies)
    expect((await first(await begin(world, first), right)).status).toBe(303)
    const device = new Map([...cookies].filter(([name]) => name.startsWith('countersign_device_')))
    const stranger = browser()
    const theirs = await begin(world, stranger)
    for (let i = 0; i < 5; i++) await stranger(theirs, { ...right, body: 'name=ada&password=wrong' })
    expect(await (await stranger(theirs, right)).text()).toContain('Too many attempts failed')
    const owner = browser(device)
    expect(await codeOf(await owner(await begin(world, owner), right), world, owner)).not.toBe('')
  })

  it('who guesses from everywhere makes others wait for a minute at most, and known devices not at all', () => {
    const { attempts, guess, advance } = wrongGuesses()
    for (let i = 0; i < 10_000; i++) guess('ada', `192.0.2.${i}`)
    expect(() => attempts.demandLeft({ name: 'ada', from: '198.51.100.7', device: 'ada 1' })).not.toThrow()
    expect(() => attempts.demandLeft({ name: 'bob', from: '198.51.100.7', device: undefined })).not.toThrow()
    advance(60_000)
    expect(() => attempts.demandLeft({ name: 'ada', from: '198.51.100.7', device: undefined })).not.toThrow()
  })
})

describe('attack: passwords guessed from many addresses', () => {
  it('are about one a minute for one name, however many addresses there are', () => {
    const { guess, advance } = wrongGuesses()
    let looked = 0
    for (let second = 0; second < 24 * 3600; second++) {
      if (guess('ada', `2001:db8:${(second % 50_000).toString(16)}::1`)) looked++
      advance(1000)
    }
    expect(looked).toBeLessThan(24 * 60 + 100)
  })

  it.each([
    ['2001:db8:0:7::', '2001:db8:0:7:ffff::1'],
    ['2001:DB8:0:7::1%eth0', '2001:0db8::7:0:0:0:1'],
  ])('come from one place where a network has them all: %s and %s', (one, other) => {
    const { guess } = wrongGuesses()
    for (let i = 0; i < 5; i++) expect(guess('ada', one)).toBe(true)
    expect(guess('ada', other)).toBe(false)
    expect(guess('ada', '2001:db8:0:8::1')).toBe(true)
  })

  it('of one address are bounded for all names together, also for who logs in with an account of their own in between', () => {
    const { attempts, guess } = wrongGuesses()
    let looked = 0
    for (let i = 0; i < 1000; i++) {
      if (guess(`person-${i}`, '192.0.2.1')) looked++
      attempts.succeeded({ name: 'mallory', from: '192.0.2.1', device: undefined })
    }
    expect(looked).toBe(30)
  })

  it('go on making the guesser wait for no longer when the clock is set back by a year', () => {
    const { guess, advance } = wrongGuesses()
    for (let i = 0; i < 5; i++) guess('ada', '192.0.2.1')
    advance(-365 * 24 * 3600_000)
    expect(guess('ada', '192.0.2.1')).toBe(false)
    advance(365 * 24 * 3600_000 + 15 * 60_000)
    expect(guess('ada', '192.0.2.1')).toBe(true)
  })
})

describe('attack: a known device that is none', () => {
  it('is not made up, taken from another account, or kept from before the password was changed, or for longer than half a year', async () => {
    const store = await identityStore()
    const ada = await createAccount(store, person, by)
    const bob = await createAccount(store, { name: 'bob', email: 'bob@example.org', kind: 'person' }, by)
    for (const account of [ada, bob]) await setPassword(store, account, password, by)
    const cookie = async (id: string): Promise<string> => (await rememberDevice(store, id, place)).split(';', 1)[0] ?? ''
    const known = async (name: string, header: string): Promise<boolean> =>
      (await knownDevice(store, name, deviceCookies(header))) !== undefined
    const own = await cookie(ada.id)
    const [name = '', value = ''] = own.split('=')
    expect(await known('ada', `a=b; ${own}`)).toBe(true)
    const others = (await cookie(bob.id)).split('=')[1] ?? ''
    const forged = [`${name}=${others}`, `${name}=${value.slice(0, -2)}AA`, `${name}=`, name, `x${own}`, '', ';;=;', await cookie(bob.id)]
    for (const header of forged) expect([header, await known('ada', header)]).toEqual([header, false])
    expect(await known('nobody', own)).toBe(false)
    store.advance(181 * 24 * 3600_000)
    expect(await known('ada', own)).toBe(false)
    const fresh = await cookie(ada.id)
    await setPassword(store, ada, 'another horse battery', by)
    expect(await known('ada', fresh)).toBe(false)
  })

  it('is sealed, kept from scripts and other sites, and from plain http where the installation has https', async () => {
    const store = await identityStore()
    const account = await createAccount(store, person, by)
    expect(await rememberDevice(store, account.id, place)).toMatch(
      /^countersign_device_[0-9a-f]{12}=[A-Za-z0-9_-]{92}; Path=\/oidc; Max-Age=15552000; HttpOnly; SameSite=Lax; Secure$/,
    )
  })

  it('has as few guesses as anybody', () => {
    const { guess } = wrongGuesses()
    for (let i = 0; i < 5; i++) expect(guess('ada', `192.0.2.${i}`, 'ada 1')).toBe(true)
    expect(guess('ada', '192.0.2.9', 'ada 1')).toBe(false)
    expect(guess('ada', '192.0.2.9', 'ada 2')).toBe(true)
  })
})
