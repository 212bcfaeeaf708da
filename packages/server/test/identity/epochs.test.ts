import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { concatBytes } from '@countersign/core/bytes'
import type { SecretBox } from '@countersign/server/base/keys/role-key'
import { createAccount, disableAccount } from '@countersign/server/identity/accounts/accounts'
import { deviceCookies, knownDevice, rememberDevice } from '@countersign/server/identity/accounts/known-device'
import { setPassword } from '@countersign/server/identity/accounts/login'
import { accountMigrations } from '@countersign/server/identity/accounts/tables'
import { databaseAdapter } from '@countersign/server/identity/provider/adapter'
import { describeDatabases } from '../base/databases.ts'

const by = { actor: 'test', from: 'local' }

/** As much of a vault as the database is not. */
function box(): SecretBox {
  const [key, nonce] = [randomBytes(32), new Uint8Array(12)]
  return {
    seal: (context, secret) => {
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
      return concatBytes(new Uint8Array(cipher.update(secret)), new Uint8Array(cipher.final()))
    },
    open: (_, sealed) => new Uint8Array(createDecipheriv('aes-256-gcm', key, nonce).update(sealed)),
  }
}

describeDatabases('what is remembered of who is logged in', (open) => {
  it('ends with the epoch of its account, is written again without being renewed, and begins anew under another name', async () => {
    const { database, close } = await open(accountMigrations)
    const ports = { database, audit: { record: async () => 'record' }, clock: Date.now }
    const account = await createAccount(ports, { name: 'ada', email: 'ada@example.org', kind: 'person' }, by)
    const adapter = databaseAdapter({ statements: database.raw, clock: Date.now, secrets: box(), findClient: async () => undefined })
    const [sessions, interactions] = [adapter('Session'), adapter('Interaction')]
    const payload = { accountId: account.id, uid: 'u' }
    await interactions.upsert('login', { uid: 'l' }, 600)
    await sessions.upsert('one', payload, 600)
    await sessions.upsert('one', { ...payload, more: 1 }, 600)
    expect(await sessions.findByUid('u')).toMatchObject({ more: 1 })
    await setPassword(ports, account, 'correct horse battery', by)
    await sessions.upsert('one', payload, 600)
    expect([await sessions.find('one'), await sessions.findByUid('u')]).toEqual([undefined, undefined])
    // A login that belonged to nobody becomes one of now.
    await interactions.upsert('login', { uid: 'l', result: { login: { accountId: account.id } } }, 600)
    await sessions.upsert('two', payload, 600)
    expect([await interactions.find('login'), await sessions.find('two')]).toMatchObject([{ uid: 'l' }, { uid: 'u' }])
    await disableAccount(ports, 'ada', by)
    expect([await interactions.find('login'), await sessions.find('two')]).toEqual([undefined, undefined])
    await sessions.upsert('three', { accountId: 'nobody', uid: 'n' }, 600)
    expect(await sessions.find('three')).toBeUndefined()
    await close()
  })

  it('knows a device under the password under which it was remembered', async () => {
    const { database, close } = await open(accountMigrations)
    const ports = { database, audit: { record: async () => 'record' }, clock: Date.now, secrets: box() }
    const account = await createAccount(ports, { name: 'ada', email: 'ada@example.org', kind: 'person' }, by)
    await setPassword(ports, account, 'correct horse battery', by)
    const [cookie = ''] = (await rememberDevice(ports, account.id, { path: '/oidc', secure: true })).split(';')
    expect(await knownDevice(ports, 'ada', deviceCookies(cookie))).toContain(account.id)
    await close()
  })
})
