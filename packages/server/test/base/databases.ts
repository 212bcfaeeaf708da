/** The two kinds of databases that everything on them is tested with. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import type { Database, Migration } from '@countersign/server/base/database/database'
import { migrate } from '@countersign/server/base/database/migrate'
import { openPostgres } from '@countersign/server/base/database/postgres'
import { openSqlite } from '@countersign/server/base/database/sqlite'
import { startPostgres, type TestPostgres } from '@countersign/testkit/postgres'
import { afterAll, beforeAll, describe } from 'vitest'

/** An empty database: `where` is its file or URL, `another` opens further connections, `close` ends them all. */
export type OpenedDatabase = {
  readonly database: Database
  readonly where: string
  readonly another: () => Promise<Database>
  readonly close: () => Promise<void>
}

/** Opens one, with its schema. */
export type OpenDatabase = (migrations: readonly Migration[], options?: { readonly busyMs?: number }) => Promise<OpenedDatabase>

/** Describes the same for SQLite and for PostgreSQL. */
export function describeDatabases(
  what: string,
  body: (open: OpenDatabase, kind: Database['kind'], server: () => TestPostgres) => void,
): void {
  describe(`${what} on SQLite`, () => {
    const open: OpenDatabase = async (migrations, options) => {
      const folder = mkdtempSync(join(tmpdir(), 'countersign-database-'))
      const where = join(folder, 'database.sqlite')
      const opened = await connections(migrations, (create) => openSqlite(where, { create, ...options }))
      const close = async () => {
        await opened.close()
        rmSync(folder, { recursive: true })
      }
      return { ...opened, where, close }
    }
    body(open, 'sqlite', none)
  })
  describe(`${what} on PostgreSQL`, () => {
    let server: TestPostgres | undefined
    beforeAll(async () => {
      server = await startPostgres()
    }, 60_000)
    afterAll(() => server?.stop())
    const open: OpenDatabase = async (migrations, options) => {
      const where = await (server ?? none()).database()
      return { ...(await connections(migrations, () => openPostgres({ url: where, ...options }))), where }
    }
    body(open, 'postgres', () => server ?? none())
  })
}

function none(): never {
  throw new CountersignError('internal', 'there is no PostgreSQL here')
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
