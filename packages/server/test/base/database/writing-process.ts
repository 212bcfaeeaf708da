/** Writes to a database until it is killed: `FILE|URL MODE`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError } from '@countersign/core/failure'
import { openPostgres } from '@countersign/server/base/database/postgres'
import { openSqlite } from '@countersign/server/base/database/sqlite'

const [where = '', mode = ''] = process.argv.slice(2)
const database = where.startsWith('postgres://') ? await openPostgres({ url: where }) : await openSqlite(where)

async function lastId(): Promise<number> {
  const [row] = await database.raw.query<{ last: number | null }>('select max(id) as last from items')
  return row?.last ?? 0
}

/** Pairs of rows in transactions, single rows beside them, until the end or a failure; prints what was confirmed. */
async function write(): Promise<void> {
  for (let id = (await lastId()) + 1; ; id += 4) {
    const bytes = new Uint8Array(2_000)
    const pair = database.transaction(async (_, raw) => {
      await raw.run('insert into items (id, name, bytes) values (?, ?, ?)', [id, `pair ${id} first`, bytes])
      await raw.run('insert into items (id, name, bytes) values (?, ?, ?)', [id + 1, `pair ${id} second`, bytes])
    })
    const single = database.raw.run('insert into items (id, name, bytes) values (?, ?, ?)', [id + 2, `single ${id + 2}`, bytes])
    await Promise.all([pair, single])
    console.log(id)
  }
}

/** Adds 1 to the name of row 1, a hundred times. */
async function increment(): Promise<void> {
  for (let count = 0; count < 100; count++) {
    await database.transaction(async (_, raw) => {
      const [row] = await raw.query<{ name: string }>('select name from items where id = 1')
      await raw.run('update items set name = ? where id = 1', [String(Number(row?.name) + 1)])
    })
  }
  console.log('done')
}

/** Holds a transaction open. */
async function hold(): Promise<void> {
  await database.transaction(async (_, raw) => {
    await raw.run('delete from items')
    console.log('holding')
    await sleep(60_000)
  })
}

const modes = new Map([
  ['write', write],
  ['increment', increment],
  ['hold', hold],
])
try {
  await modes.get(mode)?.()
} catch (thrown) {
  console.log(thrown instanceof CountersignError ? thrown.code : String(thrown))
}
await database.close()
