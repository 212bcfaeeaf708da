import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { migrate } from '@countersign/server/base/database/migrate'
import { openPostgres } from '@countersign/server/base/database/postgres'
import { postgresClient } from '@countersign/server/base/database/postgres-url'
import { itemMigrations } from '@countersign/testkit/contracts/database'
import { startPostgres, type TestPostgres } from '@countersign/testkit/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let server: TestPostgres
beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(() => server.stop())

async function open(options: { readonly busyMs?: number; readonly statementMs?: number; readonly connections?: number } = {}) {
  const database = await openPostgres({ url: await server.database(), ...options })
  await migrate(database, itemMigrations)
  return database
}

describe('a PostgreSQL', () => {
  it('that is not there, does not let in or has no such database is named without the password', async () => {
    const url = new URL(await server.database())
    const secret = url.password
    const wrong = new URL(url)
    wrong.password = 'wr0ng-passw0rd'
    const elsewhere = new URL(url)
    elsewhere.port = '1'
    const missing = new URL(url)
    missing.pathname = '/nowhere'
    for (const [target, code] of [
      [wrong, 'database_failed'],
      [elsewhere, 'database_failed'],
      [missing, 'database_missing'],
    ] as const) {
      const failure = await openPostgres({ url: target.href, busyMs: 2_000 }).catch((thrown: unknown) => thrown)
      expect(failure).toMatchObject({ code })
      const told = [String(failure), JSON.stringify(failure), (failure as Error).stack, String((failure as Error).cause)].join(' ')
      expect(told).not.toContain(secret)
      expect(told).not.toContain('wr0ng')
    }
  })

  it('takes the password from beside the URL', async () => {
    const url = new URL(await server.database())
    const { password } = url
    url.password = ''
    await (await openPostgres({ url: url.href, password })).close()
    await (await openPostgres({ url: url.href, password: async () => password })).close()
    await expect(openPostgres({ url: url.href, password: 'other' })).rejects.toMatchObject({ code: 'database_failed' })
  })

  it('may restart: what was asked meanwhile fails, and what comes later does not', async () => {
    const database = await open()
    const sleeping = database.raw.query('select pg_sleep(50)')
    const idle = Array.from({ length: 5 }, () => database.raw.query('select 1 as one'))
    await Promise.all(idle)
    const [began, restarted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const inTransaction = database.transaction(async (_, raw) => {
      await raw.run('insert into items (id) values (1)')
      began.resolve()
      await restarted.promise
      await raw.run('insert into items (id) values (2)')
    })
    const outcomes = Promise.allSettled([sleeping, inTransaction])
    await began.promise
    const asleep = `select count(*)::int as n from pg_stat_activity where query = 'select pg_sleep(50)' and state = 'active'`
    await expect.poll(() => database.raw.query(asleep)).toEqual([{ n: 1 }])
    await server.disconnectAll()
    restarted.resolve()
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await expect.poll(() => database.raw.run('insert into items (id) values (3)').catch(() => 0)).toBe(1)
    expect(await database.raw.query('select id from items')).toMatchObject([{ id: 3 }])
    await database.close()
  })

  it('ends statements and transactions that take too long', async () => {
    const database = await open({ statementMs: 800 })
    await expect(database.raw.query('select pg_sleep(5)')).rejects.toMatchObject({ code: 'database_busy' })
    const idle = database.transaction(async (_, raw) => {
      await raw.run('insert into items (id) values (1)')
      await sleep(2_000)
      await raw.run('insert into items (id) values (2)')
    })
    await expect(idle).rejects.toMatchObject({ code: expect.stringMatching(/database_(busy|failed)/) as string })
    expect(await database.raw.query('select id from items')).toEqual([])
    await database.close()
  })

  it('makes those wait who find no free connection, and tells them when it takes too long', async () => {
    const database = await open({ connections: 1, busyMs: 1_000 })
    const slow = database.raw.query('select pg_sleep(2.5)')
    await expect(database.raw.query('select 1 as one')).rejects.toMatchObject({ code: 'database_busy' })
    await slow
    expect(await database.raw.query('select 1 as one')).toMatchObject([{ one: 1 }])
    await database.close()
  })

  it('commits durably though its default says otherwise', async () => {
    const url = await server.database()
    const first = await openPostgres({ url })
    const name = new URL(url).pathname.slice(1)
    await first.raw.run(`alter database ${name} set synchronous_commit = off`)
    await first.close()
    const database = await openPostgres({ url })
    const [row] = await database.raw.query(
      `select current_setting('synchronous_commit') as commit, current_setting('transaction_isolation') as isolation`,
    )
    expect(row).toEqual({ commit: 'on', isolation: 'serializable' })
    await database.close()
  })

  it('that does not store UTF-8 is refused', async () => {
    const admin = await openPostgres({ url: await server.database() })
    await admin.raw.run(`create database latin encoding 'SQL_ASCII' locale_provider libc locale 'C' template template0`)
    const url = new URL(await server.database())
    url.pathname = '/latin'
    await expect(openPostgres({ url: url.href })).rejects.toMatchObject({ code: 'database_failed', found: 'SQL_ASCII' })
    await admin.close()
  })
})

describe('the URL of a PostgreSQL', () => {
  it('leads to TLS with a verified name everywhere but on this machine', async () => {
    expect(postgresClient({ url: 'postgres://user@db.example.com/countersign' }).config).toMatchObject({
      host: 'db.example.com',
      ssl: { rejectUnauthorized: true },
    })
    for (const url of [
      'postgres://user@127.0.0.1/db',
      'postgres://user@[::1]:5433/db',
      'postgresql://user@localhost/db',
      'postgres:///db?host=/run/postgresql',
    ]) {
      expect(postgresClient({ url }).config.ssl).toBe(false)
    }
    expect(postgresClient({ url: 'postgres://user@127.0.0.1/db', ca: 'PEM' }).config.ssl).toMatchObject({
      ca: 'PEM',
      rejectUnauthorized: true,
    })
    const reasoned = { url: 'postgres://user@10.0.0.1/db', plaintext_UNSAFE: { reason: 'a private network' } }
    expect(postgresClient(reasoned).config.ssl).toBe(false)
    expect(postgresClient({ url: 'postgres://user@127.0.0.1.example.com/db' }).config.ssl).not.toBe(false)
  })

  it('does not fall back to plain text when the server offers no TLS', async () => {
    const plain = createServer((socket) => socket.once('data', () => socket.write('N')))
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
    const { port } = plain.address() as AddressInfo
    const url = `postgres://user:hidden@127.0.0.1:${port}/db`
    await expect(openPostgres({ url, ca: '-----BEGIN CERTIFICATE-----', busyMs: 1_000 })).rejects.toMatchObject({ code: 'database_failed' })
    plain.close()
  })

  it('is refused, without being shown, when it cannot be used', () => {
    for (const url of [
      '',
      'mysql://u:hidden@h/db',
      'postgres://u:hidden@h',
      'postgres://u:hidden@h/',
      'postgres://u:hidden@h/a/b',
      'postgres://u:hidden@h/db?sslmode=disable',
      'postgres://u:hidden@h/db?host=/run',
      'postgres:///db?host=elsewhere',
      'postgres://u:hidden%zz@h/db',
    ]) {
      let failure: unknown
      try {
        postgresClient({ url })
      } catch (thrown) {
        failure = thrown
      }
      expect(failure).toMatchObject({ code: 'usage' })
      expect(JSON.stringify(failure) + String(failure)).not.toContain('hidden')
    }
  })
})
