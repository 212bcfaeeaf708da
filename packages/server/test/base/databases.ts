/** The two kinds of databases that everything on them is tested with. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database, Migration } from '@countersign/server/base/database/database'
import { migrate } from '@countersign/server/base/database/migrate'
import { openPostgres } from '@countersign/server/base/database/postgres'
import { openSqlite } from '@countersign/server/base/database/sqlite'
import { startPostgres, type TestPostgres } from '@countersign/testkit/postgres'
import { afterAll, beforeAll, describe } from 'vitest'

/** Opens an empty database, or further connections to the same one; `close` ends them all. */
export type OpenDatabase = (
  migrations: readonly Migration[],
) => Promise<{ readonly database: Database; readonly another: () => Promise<Database>; readonly close: () => Promise<void> }>

/** Describes the same for SQLite and for PostgreSQL. */
export function describeDatabases(what: string, body: (open: OpenDatabase, kind: Database['kind']) => void): void {
  describe(`${what} on SQLite`, () => {
    body(async (migrations) => {
      const folder = mkdtempSync(join(tmpdir(), 'countersign-database-'))
      const opened = await connections(migrations, (create) => openSqlite(join(folder, 'database.sqlite'), { create }))
      const close = async () => {
        await opened.close()
        rmSync(folder, { recursive: true })
      }
      return { ...opened, close }
    }, 'sqlite')
  })
  describe(`${what} on PostgreSQL`, () => {
    let server: TestPostgres
    beforeAll(async () => {
      server = await startPostgres()
    }, 60_000)
    afterAll(() => server.stop())
    body(async (migrations) => {
      const url = await server.database()
      return connections(migrations, () => openPostgres({ url }))
    }, 'postgres')
  })
}

async function connections(migrations: readonly Migration[], open: (create: boolean) => Promise<Database>) {
  const opened = [await open(true)]
  const [database] = opened as [Database]
  await migrate(database, migrations)
  const another = async () => {
    const further = await open(false)
    opened.push(further)
    return further
  }
  return { database, another, close: async () => void (await Promise.all(opened.map((one) => one.close()))) }
}
