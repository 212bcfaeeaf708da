import { describe, expect, it } from 'vitest'
import { createAttempts } from '@countersign/server/identity/accounts/attempts'
import { createAccount, disableAccount, findFederated, listAccounts, usableAccount } from '@countersign/server/identity/accounts/accounts'
import { createLoginLink, loginByLink, loginByPassword, setPassword, sweepLoginLinks } from '@countersign/server/identity/accounts/login'
import { codeOfStep, stepOfCode } from '@countersign/server/identity/accounts/one-time-password'
import { hashPassword, isPassword } from '@countersign/server/identity/accounts/password'
import { renewServiceSecret } from '@countersign/server/identity/accounts/service-secret'
import { claimsOf } from '@countersign/server/identity/token'
import { federatedAccount } from '@countersign/server/identity/provider/upstream'
import { identityStore } from './world.ts'

const by = { actor: 'test', from: 'local' }
const person = { name: 'ada', email: 'Ada@example.org', kind: 'person' } as const

describe('an account', () => {
  it('has a name and an address that no other account has, then or later', async () => {
    const store = await identityStore()
    await createAccount(store, person, by)
    await expect(createAccount(store, { ...person, email: 'x@example.org' }, by)).rejects.toMatchObject({ code: 'account_exists' })
    await expect(createAccount(store, { ...person, name: 'b' }, by)).rejects.toMatchObject({ code: 'account_address_taken' })
    await disableAccount(store, 'ada', by)
    for (const email of ['Ada@example.org', 'ada@EXAMPLE.org'])
      await expect(createAccount(store, { ...person, name: 'b', email }, by)).rejects.toMatchObject({ code: 'account_address_taken' })
    expect((await listAccounts(store)).map(({ name }) => name)).toEqual(['ada'])
  })

  it('is made once when several make it at once', async () => {
    const store = await identityStore()
    const made = await Promise.allSettled(Array.from({ length: 8 }, () => createAccount(store, person, by)))
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it.each([
    ['a name with a slash', { name: 'a/b' }],
    ['an empty name', { name: '' }],
    ['a name in capitals', { name: 'Ada' }],
    ['a name of 65 characters', { name: 'a'.repeat(65) }],
    ['an address without a domain', { email: 'ada' }],
    ['an address with a second line', { email: 'ada@example.org\nbob@example.org' }],
    ['an address with a NUL', { email: 'ada@example.org\0.evil.example' }],
    ['an address that is not ASCII', { email: 'adа@example.org' }],
    ['an address of 255 characters', { email: `${'a'.repeat(243)}@example.org` }],
  ])('cannot have %s', async (_what, change) => {
    await expect(createAccount(await identityStore(), { ...person, ...change }, by)).rejects.toMatchObject({ code: 'account_malformed' })
  })

  it('that is disabled, or is none, cannot be used', async () => {
    const store = await identityStore()
    await createAccount(store, person, by)
    expect(await usableAccount(store, 'ada')).toMatchObject({ email: 'Ada@example.org', kind: 'person', administrator: false })
    await disableAccount(store, 'ada', by)
    await disableAccount(store, 'ada', by)
    await expect(usableAccount(store, 'ada')).rejects.toMatchObject({ code: 'account_disabled' })
    await expect(usableAccount(store, 'bob')).rejects.toMatchObject({ code: 'account_missing' })
    await expect(disableAccount(store, 'bob', by)).rejects.toMatchObject({ code: 'account_missing' })
    expect(store.events.map(({ action }) => action)).toEqual(['identity.account_created', 'identity.account_disabled'])
  })

  it('of this installation carries no claim of a federated one', async () => {
    const store = await identityStore()
    const account = await createAccount(store, person, by)
    expect(claimsOf(account)).toEqual({ email: 'Ada@example.org', email_verified: true })
    const upstream = { name: 'corp', title: 'Corp', issuer: 'https://login.corp.example', clientId: 'x' }
    const federated = await federatedAccount(store, upstream, { subject: 's1', email: 'bob@corp.example' }, 'x')
    expect(claimsOf(federated)).toMatchObject({ federated_claims: { connector_id: 'https://login.corp.example' } })
    expect(await findFederated(store, 'https://login.corp.example', 's1')).toMatchObject({ id: federated.id })
  })
})

describe('a federated login', () => {
  const upstream = { name: 'corp', title: 'Corp', issuer: 'https://login.corp.example', clientId: 'x' }

  it('cannot take the address of a local account', async () => {
    const store = await identityStore()
    await createAccount(store, person, by)
    const identity = { subject: 's1', email: 'ada@example.org' }
    await expect(federatedAccount(store, upstream, identity, 'x')).rejects.toMatchObject({ code: 'account_address_taken' })
  })

  it('is refused when the provider renamed the mailbox', async () => {
    const store = await identityStore()
    await federatedAccount(store, upstream, { subject: 's1', email: 'bob@corp.example' }, 'x')
    const renamed = { subject: 's1', email: 'robert@corp.example' }
    await expect(federatedAccount(store, upstream, renamed, 'x')).rejects.toMatchObject({ code: 'login_refused' })
  })
})

describe('a password', () => {
  it('is kept as Argon2id with its cost, and only it opens', async () => {
    const stored = await hashPassword('correct horse battery')
    expect(stored).toMatch(/^\$argon2id\$v=19\$m=65536,t=3,p=4\$/)
    expect(await isPassword(stored, 'correct horse battery')).toBe(true)
    expect(await isPassword(stored, 'correct horse batterz')).toBe(false)
    expect(await isPassword(undefined, 'correct horse battery')).toBe(false)
    expect(await isPassword('plain', 'plain')).toBe(false)
  })

  it('has at least 12 characters and at most 1,024 bytes', async () => {
    await expect(hashPassword('a'.repeat(11))).rejects.toMatchObject({ code: 'account_malformed' })
    await expect(hashPassword('a'.repeat(1025))).rejects.toMatchObject({ code: 'account_malformed' })
  })

  it('guessed too often makes the guesser wait, longer each time', async () => {
    const store = await identityStore()
    const ports = { ...store, attempts: createAttempts(store.clock) }
    const account = await createAccount(store, person, by)
    await setPassword(store, account, 'correct horse battery', by)
    const login = (password: string) => loginByPassword(ports, { name: 'ada', password }, '192.0.2.1')
    for (let i = 0; i < 5; i++)
      await expect(login('wrong')).rejects.toMatchObject({ message: 'name, password or one-time password is wrong' })
    await expect(login('correct horse battery')).rejects.toMatchObject({ message: 'too many attempts failed' })
    store.advance(2_001)
    await expect(login('correct horse battery')).resolves.toMatchObject({ name: 'ada' })
  })
})

describe('a one-time password', () => {
  // RFC 6238, appendix B, of whose eight digits these are the last six.
  const seed = new TextEncoder().encode('12345678901234567890')
  it.each([
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_234_567_890, '005924'],
    [20_000_000_000, '353130'],
  ])('at %i seconds is %s', (seconds, code) => {
    expect(codeOfStep(seed, Math.floor(seconds / 30))).toBe(code)
    expect(stepOfCode(seed, code, seconds * 1000)).toBe(Math.floor(seconds / 30))
    expect(stepOfCode(seed, code, (seconds + 90) * 1000)).toBeUndefined()
  })
})

describe('a login link', () => {
  it('works once, and for 15 minutes', async () => {
    const store = await identityStore()
    const account = await createAccount(store, { ...person, administrator: true }, by)
    const link = await createLoginLink(store, account, by)
    expect(await loginByLink(store, link, 'x')).toMatchObject({ name: 'ada', administrator: true })
    await expect(loginByLink(store, link, 'x')).rejects.toMatchObject({ code: 'login_link_spent' })
    const late = await createLoginLink(store, account, by)
    store.advance(15 * 60_000 + 1)
    await expect(loginByLink(store, late, 'x')).rejects.toMatchObject({ code: 'login_link_spent' })
    await expect(loginByLink(store, 'guessed', 'x')).rejects.toMatchObject({ code: 'login_link_spent' })
  })
})

describe('login links', () => {
  it('of an account end when its password is set: a second link is worth nothing to whoever found it', async () => {
    const store = await identityStore()
    const account = await createAccount(store, person, by)
    const [used, found] = [await createLoginLink(store, account, by), await createLoginLink(store, account, by)]
    await loginByLink(store, used, 'x')
    await setPassword(store, account, 'correct horse battery', by)
    await expect(loginByLink(store, found, 'x')).rejects.toMatchObject({ code: 'login_link_spent' })
  })

  it('that have ended are swept, and no other', async () => {
    const store = await identityStore()
    const account = await createAccount(store, person, by)
    await createLoginLink(store, account, by)
    store.advance(14 * 60_000)
    const open = await createLoginLink(store, account, by)
    store.advance(2 * 60_000)
    expect(await sweepLoginLinks(store.database.raw, store.clock)).toBe(1)
    expect(await loginByLink(store, open, 'x')).toMatchObject({ name: 'ada' })
  })
})

describe('a service secret', () => {
  it('is not made for a person', async () => {
    const store = await identityStore()
    const account = await createAccount(store, person, by)
    await expect(renewServiceSecret(store, account, by)).rejects.toMatchObject({ code: 'account_malformed' })
  })
})
