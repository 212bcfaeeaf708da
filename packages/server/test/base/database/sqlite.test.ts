import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { migrate } from '@countersign/server/base/database/migrate'
import { openSqlite } from '@countersign/server/base/database/sqlite'
import { checkSqlite } from '@countersign/server/base/database/sqlite-file'
import { itemMigrations } from '@countersign/testkit/contracts/database'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-sqlite-'))
  file = join(folder, 'database.sqlite')
})
afterEach(() => rmSync(folder, { recursive: true }))

async function fill(rows: number): Promise<void> {
  const database = await openSqlite(file, { create: true })
  await migrate(database, itemMigrations)
  const values = Array.from({ length: rows }, (_, id) => [id, `name ${id}`, new Uint8Array(500)])
  await database.raw.insert('items', ['id', 'name', 'bytes'], values)
  await database.close()
}

function overwrite(offset: number, bytes: Uint8Array): void {
  const handle = openSync(file, 'r+')
  writeSync(handle, bytes, 0, bytes.length, offset)
  closeSync(handle)
}

describe('the file of a database', () => {
  it('is made at a first start alone', async () => {
    await expect(openSqlite(file)).rejects.toMatchObject({ code: 'database_missing', message: expect.stringContaining(file) as string })
    expect(existsSync(file)).toBe(false)
    await expect(openSqlite(join(folder, 'no/such/folder'), { create: true })).rejects.toMatchObject({ code: 'database_missing' })
  })

  it('is opened again by a first start that was interrupted', async () => {
    writeFileSync(file, '')
    await expect(openSqlite(file)).rejects.toMatchObject({ code: 'database_damaged' })
    await (await openSqlite(file, { create: true })).close()
    await (await openSqlite(file, { create: true })).close()
    await (await openSqlite(file)).close()
  })

  it('belongs to its account alone', async () => {
    await fill(1)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('is named when it is damaged: not a database, cut off, overwritten, or of another program', async () => {
    const damages: readonly (() => void)[] = [
      () => writeFileSync(file, 'not a database, but long enough to be one'.repeat(100)),
      () => truncateSync(file, 0),
      () => truncateSync(file, 50),
      () => truncateSync(file, 4_096 * 3),
      () => overwrite(4_096 * 5, new Uint8Array(4_096).fill(0xa5)),
      () => overwrite(0, new Uint8Array(16)),
      () => {
        rmSync(file)
        const other = new DatabaseSync(file)
        other.exec('create table t (x)')
        other.close()
      },
    ]
    for (const damage of damages) {
      rmSync(file, { force: true })
      await fill(200)
      damage()
      await expect(openSqlite(file)).rejects.toMatchObject({ code: 'database_damaged', message: expect.stringContaining(file) as string })
      await expect(checkSqlite(file)).rejects.toMatchObject({ code: 'database_damaged' })
    }
  })

  it('is whole when it was left by a process that did not close it', async () => {
    const database = await openSqlite(file, { create: true })
    await migrate(database, itemMigrations)
    await database.raw.insert('items', ['id'], [[1]])
    const copy = join(folder, 'copy.sqlite')
    for (const suffix of ['', '-wal']) writeFileSync(copy + suffix, readFileSync(file + suffix))
    await database.close()
    const again = await openSqlite(copy)
    expect(await again.raw.query('select id from items')).toMatchObject([{ id: 1 }])
    await again.close()
    await checkSqlite(copy)
  })

  it('is opened by several at once', async () => {
    await fill(10)
    const databases = await Promise.all(Array.from({ length: 5 }, () => openSqlite(file)))
    await Promise.all(databases.map((database, id) => database.raw.insert('items', ['id'], [[1_000 + id]])))
    expect(await databases[0]?.raw.query('select count(*) as n from items')).toMatchObject([{ n: 15 }])
    await Promise.all(databases.map((database) => database.close()))
  })
})

describe('writers of one process', () => {
  it('have their turn in the order in which they came', async () => {
    await fill(0)
    const database = await openSqlite(file)
    const order: number[] = []
    const turns = [database.transaction(async () => sleep(100))]
    for (const id of [1, 2, 3, 4, 5]) {
      await sleep(5)
      const done = () => void order.push(id)
      turns.push(id % 2 === 0 ? database.transaction(async () => done()) : database.raw.insert('items', ['id'], [[id]]).then(done))
    }
    await Promise.all(turns)
    expect(order).toEqual([1, 2, 3, 4, 5])
    await database.close()
  })

  it('share a commit, in which each fails by itself', async () => {
    await fill(0)
    const database = await openSqlite(file)
    const writes = [1, 2, 2, 3, 1, 4].map((id) => database.raw.run('insert into items (id) values (?)', [id]))
    const many = database.raw.insert('items', ['id'], [[10], [11], [2]])
    const outcomes = await Promise.allSettled([...writes, many, database.raw.run('insert into items (id) values (12)')])
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, true, false, true, false, true])
    expect((await database.raw.query<{ id: number }>('select id from items order by id')).map(({ id }) => id)).toEqual([1, 2, 3, 4, 12])
    await database.close()
  })

  it('are not stopped by a transaction that never ends', async () => {
    await fill(0)
    const database = await openSqlite(file, { transactionMs: 100, busyMs: 10_000 })
    const hanging = database.transaction(async (_, raw) => {
      await raw.insert('items', ['id'], [[1]])
      await sleep(200)
      await raw.insert('items', ['id'], [[2]])
    })
    const behind = database.raw.insert('items', ['id'], [[3]])
    await expect(hanging).rejects.toMatchObject({ code: 'database_busy' })
    expect(await behind).toBe(1)
    expect(await database.raw.query('select id from items')).toMatchObject([{ id: 3 }])
    await database.close()
  })

  it('give up when their turn does not come in time', async () => {
    await fill(0)
    const database = await openSqlite(file, { busyMs: 100 })
    const [began, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const slow = database.transaction(async () => {
      began.resolve()
      await released.promise
    })
    await began.promise
    await expect(database.raw.insert('items', ['id'], [[3]])).rejects.toMatchObject({ code: 'database_busy' })
    released.resolve()
    await slow
    expect(await database.raw.insert('items', ['id'], [[3]])).toBe(1)
    await database.close()
  })

  it('and readers let the rest of the process run, however many statements follow one another', async () => {
    await fill(0)
    const database = await openSqlite(file)
    const turns = { count: 0 }
    const timer = setInterval(() => turns.count++, 1)
    const until = async (work: () => Promise<unknown>) => {
      turns.count = 0
      const end = performance.now() + 5_000
      while (turns.count < 3 && performance.now() < end) await work()
      expect(turns.count).toBeGreaterThanOrEqual(3)
    }
    await until(() => database.raw.run('insert into items (name) values (null)'))
    await until(() => database.raw.query('select id from items limit 5'))
    await database.transaction(async (_, raw) => until(() => raw.query('select id from items limit 5')))
    clearInterval(timer)
    await database.close()
  })

  it('finish before the database closes', async () => {
    await fill(0)
    const database = await openSqlite(file)
    const writes = [1, 2, 3].map((id) => database.raw.insert('items', ['id'], [[id]]))
    await database.close()
    expect(await Promise.all(writes)).toEqual([1, 1, 1])
    await checkSqlite(file)
  })
})
