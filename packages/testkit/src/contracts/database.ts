/** What every `Database` does. */
import assert from 'node:assert/strict'
import { CountersignError, type FailureCode } from '@countersign/core/failure'
import type { Database, Migration, SqlValue } from '@countersign/server/base/database/database'
import { isUniqueViolation } from '@countersign/server/base/database/failure'
import { migrate } from '@countersign/server/base/database/migrate'
import { type PortCase, portCases, type PortSubject } from './contract.ts'

/** The contract as cases for any test framework. The database that the subject opens is empty. */
export function databaseContract(subject: PortSubject<Database, DatabaseSentence>): readonly PortCase[] {
  return portCases(subject, sentences)
}

/** The sentences of the contract. */
export type DatabaseSentence = keyof typeof sentences

type Item = { readonly id: number; readonly name: string | null; readonly bytes: Uint8Array | null }

/** A table for whoever tests with a database: `items` with `id` (primary key), `name` (unique) and `bytes`. */
export const itemMigrations: readonly Migration[] = [
  {
    name: 'test-0001-items',
    up: async (sql, types) => {
      await sql.schema
        .createTable('items')
        .addColumn('id', types.integer, (column) => column.primaryKey())
        .addColumn('name', types.text, (column) => column.unique())
        .addColumn('bytes', types.bytes)
        .execute()
    },
  },
]

const columns = ['id', 'name', 'bytes']

async function items(database: Database) {
  await migrate(database, itemMigrations)
  return database.sql.withTables<{ items: Item }>()
}

const sentences = {
  'gives back integers, text and bytes as they went in': async (database: Database): Promise<void> => {
    const sql = await items(database)
    const row = { id: Number.MAX_SAFE_INTEGER, name: 'Ünï "quoted" \u{1f510} \n', bytes: new Uint8Array([0, 255, 92, 120]) }
    await sql.insertInto('items').values(row).execute()
    await sql.insertInto('items').values({ id: -5, name: null, bytes: new Uint8Array() }).execute()
    const [first, second] = await sql.selectFrom('items').selectAll().orderBy('id', 'desc').execute()
    assert.deepEqual({ ...first }, row)
    assert.deepEqual({ ...second }, { id: -5, name: null, bytes: new Uint8Array() })
    assert.equal(Object.getPrototypeOf(first?.bytes), Uint8Array.prototype)
    const [raw] = await database.raw.query<Item>('select id, name, bytes from items where bytes = ?', [row.bytes])
    assert.deepEqual({ ...raw }, row)
  },
  'counts, sums and answers yes or no with numbers': async (database: Database): Promise<void> => {
    await items(database)
    await database.raw.insert('items', ['id'], [[2 ** 40], [2 ** 41]])
    const [row] = await database.raw.query('select count(*) as n, sum(id) as s, exists (select 1 from items) as e, max(id) as m from items')
    assert.deepEqual({ ...row }, { n: 2, s: 2 ** 40 + 2 ** 41, e: 1, m: 2 ** 41 })
  },
  'refuses an integer that JavaScript would read as another': async (database: Database): Promise<void> => {
    await assert.rejects(database.raw.query('select 9007199254740993 as big'), hasCode('database_failed'))
  },
  'refuses what one of the databases could not store': async (database: Database): Promise<void> => {
    await items(database)
    for (const value of ['a\0b', Number.NaN, Number.POSITIVE_INFINITY, undefined, true, {}, 5n] as SqlValue[]) {
      await assert.rejects(
        database.raw.run('insert into items (id, name) values (1, ?)', [value]),
        hasCode('database_failed'),
        typeof value,
      )
      await assert.rejects(database.raw.insert('items', ['name'], [[value]]), hasCode('database_failed'), typeof value)
    }
  },
  'sorts and compares text by its bytes, and minds case in patterns': async (database: Database): Promise<void> => {
    await items(database)
    const names = ['b', 'A', 'a', 'B', 'ä', 'Z', '_', 'a-', 'aa']
    await database.raw.insert(
      'items',
      ['id', 'name'],
      names.map((name, id) => [id, name]),
    )
    const sorted = await database.raw.query<Item>('select name from items order by name')
    assert.deepEqual(
      sorted.map(({ name }) => name),
      ['A', 'B', 'Z', '_', 'a', 'a-', 'aa', 'b', 'ä'],
    )
    assert.equal((await database.raw.query(`select name from items where name like 'a%'`)).length, 3)
  },
  'says which rows a statement changed, and gives those that it returns': async (database: Database): Promise<void> => {
    const sql = await items(database)
    assert.equal(await database.raw.run('insert into items (id, name) values (?, ?)', [1, 'one']), 1)
    assert.equal(await database.raw.run('update items set name = ? where id = ? and name = ?', ['uno', 1, 'two']), 0)
    const rows = await database.raw.query<Item>('update items set name = ? where id = ? and name = ? returning name', ['uno', 1, 'one'])
    assert.deepEqual(
      rows.map(({ name }) => name),
      ['uno'],
    )
    const { numUpdatedRows } = await sql.updateTable('items').set({ name: 'x' }).where('id', '=', 1).executeTakeFirstOrThrow()
    assert.equal(numUpdatedRows, 1n)
  },
  'says that a unique column holds a value already': async (database: Database): Promise<void> => {
    const sql = await items(database)
    await sql.insertInto('items').values({ id: 1, name: 'a', bytes: null }).execute()
    for (const row of [
      { id: 1, name: 'b', bytes: null },
      { id: 2, name: 'a', bytes: null },
    ]) {
      await assert.rejects(sql.insertInto('items').values(row).execute(), isUniqueViolation)
    }
    await assert.rejects(
      database.raw.run('insert into nowhere values (1)'),
      (thrown) => hasCode('database_failed')(thrown) && !isUniqueViolation(thrown),
    )
  },
  'inserts many rows, all or none, or those that are new': async (database: Database): Promise<void> => {
    await items(database)
    const rows = Array.from({ length: 2_500 }, (_, id) => [id, `name ${id}`, id % 2 === 0 ? null : new Uint8Array([id & 255])])
    assert.equal(await database.raw.insert('items', columns, rows), 2_500)
    await assert.rejects(
      database.raw.insert('items', columns, [
        [5_000, 'new', null],
        [1, 'other', null],
      ]),
      isUniqueViolation,
    )
    const mixed = [
      [1, 'x', null],
      [6_000, 'y', null],
      [6_000, 'z', null],
      [6_001, 'name 7', null],
    ]
    assert.equal(await database.raw.insert('items', columns, mixed, 'ignore'), 1)
    assert.equal(await database.raw.insert('items', columns, []), 0)
    await assert.rejects(database.raw.insert('items', columns, [[9_000, 'short']]), hasCode('internal'))
    assert.deepEqual(await counted(database), 2_501)
  },
  'commits a transaction whole and rolls it back whole': async (database: Database): Promise<void> => {
    await items(database)
    const value = await database.transaction(async (transaction, raw) => {
      await transaction.withTables<{ items: Item }>().insertInto('items').values({ id: 1, name: 'a', bytes: null }).execute()
      await raw.insert('items', ['id'], [[2]])
      assert.equal((await raw.query('select id from items')).length, 2)
      return 'done'
    })
    assert.equal(value, 'done')
    const mine = new CountersignError('usage', 'not now')
    const failing = database.transaction(async (_, raw) => {
      await raw.run('delete from items')
      throw mine
    })
    await assert.rejects(failing, (thrown) => thrown === mine)
    assert.equal(await counted(database), 2)
  },
  'commits nothing of a transaction in which a statement failed, even if the work goes on': async (database: Database): Promise<void> => {
    await items(database)
    const going = database.transaction(async (_, raw) => {
      await raw.insert('items', ['id'], [[1]])
      await raw.insert('items', ['id'], [[1]]).catch(() => 0)
      return 'committed'
    })
    await assert.rejects(going, isUniqueViolation)
    assert.equal(await counted(database), 0)
  },
  'shows nobody half a transaction, and lets no statement of others into it': async (database: Database): Promise<void> => {
    await items(database)
    const begun = Promise.withResolvers<void>()
    const others = Promise.withResolvers<void>()
    const failing = database.transaction(async (_, raw) => {
      await raw.insert('items', ['id'], [[1]])
      begun.resolve()
      await others.promise
      throw new CountersignError('usage', 'not now')
    })
    await begun.promise
    assert.equal(await counted(database), 0)
    const beside = database.raw.insert('items', ['id'], [[2]])
    setTimeout(() => others.resolve(), 20)
    await assert.rejects(failing, hasCode('usage'))
    assert.equal(await beside, 1)
    assert.equal(await counted(database), 1)
  },
  'loses no update of transactions that read and write the same row': async (database: Database): Promise<void> => {
    await items(database)
    await database.raw.insert('items', ['id', 'name'], [[1, '0']])
    const increment = () =>
      database.transaction(async (_, raw) => {
        const [row] = await raw.query<Item>('select name from items where id = 1')
        await raw.run('update items set name = ? where id = 1', [String(Number(row?.name) + 1)])
      })
    await Promise.all(Array.from({ length: 25 }, increment))
    const [row] = await database.raw.query<Item>('select name from items where id = 1')
    assert.equal(row?.name, '25')
  },
  'lets no two transactions each rely on what the other changes': async (database: Database): Promise<void> => {
    await items(database)
    await database.raw.insert(
      'items',
      ['id', 'name'],
      [
        [1, 'on call'],
        [2, 'on call too'],
      ],
    )
    // Write skew: both see two on call, each takes another one off.
    const leave = (id: number) =>
      database.transaction(async (_, raw) => {
        const rows = await raw.query(`select id from items where name like 'on call%'`)
        if (rows.length > 1) await raw.run('update items set name = null where id = ?', [id])
      })
    await Promise.all([leave(1), leave(2)])
    assert.equal((await database.raw.query('select id from items where name is not null')).length, 1)
  },
  'refuses a statement that works beside the transaction it is called in': async (database: Database): Promise<void> => {
    await items(database)
    const sql = database.sql.withTables<{ items: Item }>()
    for (const beside of [
      async () => database.raw.query('select 1 as one'),
      async () => sql.selectFrom('items').selectAll().execute(),
      async () => database.transaction(async () => undefined),
    ]) {
      await assert.rejects(
        database.transaction(async () => void (await beside())),
        hasCode('internal'),
      )
    }
    assert.equal(await database.raw.insert('items', ['id'], [[1]]), 1)
  },
  'runs migrations once and in order, several callers at once': async (database: Database): Promise<void> => {
    const ran: string[] = []
    const step = (name: string): Migration => ({ name, up: async () => void ran.push(name) })
    await Promise.all([1, 2, 3].map(() => migrate(database, [...itemMigrations, step('test-0002-second'), step('test-0003-third')])))
    await migrate(database, [...itemMigrations, step('test-0002-second'), step('room-0001-late'), step('test-0003-third')])
    assert.deepEqual(ran, ['test-0002-second', 'test-0003-third', 'room-0001-late'])
  },
  'leaves nothing of a migration that fails': async (database: Database): Promise<void> => {
    const failing: Migration = {
      name: 'test-0002-failing',
      up: async (sql, types) => {
        await sql.schema.createTable('half').addColumn('id', types.integer).execute()
        throw new CountersignError('usage', 'not now')
      },
    }
    await assert.rejects(migrate(database, [...itemMigrations, failing]), hasCode('usage'))
    await assert.rejects(database.raw.query('select * from half'), hasCode('database_failed'))
    await migrate(database, itemMigrations, { mustExist: true })
  },
  'refuses a database that a newer program made, and an empty one where there was one': async (database: Database): Promise<void> => {
    await assert.rejects(migrate(database, itemMigrations, { mustExist: true }), hasCode('database_missing'))
    await assert.rejects(database.raw.query('select * from items'), hasCode('database_failed'))
    await migrate(database, [...itemMigrations, { name: 'test-0002-newer', up: async () => undefined }])
    await assert.rejects(migrate(database, itemMigrations), hasCode('database_newer'))
  },
  'says after its end that it is closed': async (database: Database): Promise<void> => {
    await items(database)
    const written = database.raw.insert('items', ['id'], [[1]])
    assert.equal(await written, 1)
    await database.close()
    await assert.rejects(database.raw.insert('items', ['id'], [[2]]), hasCode('database_failed'))
    await assert.rejects(database.raw.query('select 1 as one'), hasCode('database_failed'))
    await assert.rejects(
      database.transaction(async () => undefined),
      hasCode('database_failed'),
    )
  },
}

async function counted(database: Database): Promise<number> {
  const [row] = await database.raw.query<{ n: number }>('select count(*) as n from items')
  return row?.n ?? -1
}

function hasCode(code: FailureCode): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof CountersignError && thrown.code === code
}
