import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPostgres } from '@countersign/server/base/database/postgres'
import { openSqlite } from '@countersign/server/base/database/sqlite'
import { registerCases } from '@countersign/testkit/contracts/contract'
import { databaseContract } from '@countersign/testkit/contracts/database'
import { startPostgres, type TestPostgres } from '@countersign/testkit/postgres'
import { afterAll, beforeAll, describe, it } from 'vitest'

describe('a database in SQLite', () => {
  const open = async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-database-'))
    const port = await openSqlite(join(folder, 'database.sqlite'), { create: true })
    const close = async () => {
      await port.close()
      rmSync(folder, { recursive: true })
    }
    return { port, close }
  }
  registerCases(it, databaseContract({ open }))
})

describe('a database in PostgreSQL', () => {
  let server: TestPostgres
  beforeAll(async () => {
    server = await startPostgres()
  }, 60_000)
  afterAll(() => server.stop())
  const open = async () => {
    const port = await openPostgres({ url: await server.database() })
    return { port, close: port.close }
  }
  registerCases(it, databaseContract({ open }))
})
