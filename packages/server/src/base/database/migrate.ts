/** The schema, step by step: what ran is on record, and a database that knows more than the program is left alone. */
import { CountersignError } from '@countersign/core/failure'
import { sql, type Transaction } from 'kysely'
import type { ColumnTypes, Database, Migration, NoTables } from './database.ts'

type Tables = { readonly migrations: { readonly name: string } }

/**
 * Runs the steps that have not run yet, in their order, each in a transaction with its record. Two processes may do this at once.
 *
 * Throws `database_newer`, before anything has changed, when the database has a step that is not among `migrations`, and `database_missing`
 * when it has none at all though it `mustExist`: everywhere but at a first start.
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[],
  options: { readonly mustExist?: boolean } = {},
): Promise<void> {
  const types = columnTypes(database)
  const known = new Set(migrations.map(({ name }) => name))
  if (known.size !== migrations.length) throw new CountersignError('internal', 'two migrations have one name')
  const applied = await database.transaction(async (transaction) => {
    await exclusively(database, transaction)
    const name = types.text
    await transaction.schema
      .createTable('migrations')
      .ifNotExists()
      .addColumn('name', name, (column) => column.primaryKey())
      .execute()
    return appliedSteps(transaction)
  })
  const unknown = [...applied].filter((name) => !known.has(name)).sort()
  if (unknown.length > 0) throw newer(unknown)
  if (applied.size === 0 && options.mustExist === true) throw empty()
  for (const migration of migrations) {
    if (!applied.has(migration.name)) await runStep(database, migration, types, known)
  }
}

async function runStep(database: Database, migration: Migration, types: ColumnTypes, known: ReadonlySet<string>): Promise<void> {
  await database.transaction(async (transaction) => {
    await exclusively(database, transaction)
    const applied = await appliedSteps(transaction)
    // A newer program may be at work beside this one.
    const unknown = [...applied].filter((name) => !known.has(name)).sort()
    if (unknown.length > 0) throw newer(unknown)
    if (applied.has(migration.name)) return
    await migration.up(transaction, types)
    await transaction.withTables<Tables>().insertInto('migrations').values({ name: migration.name }).execute()
  })
}

async function appliedSteps(transaction: Transaction<NoTables>): Promise<ReadonlySet<string>> {
  const rows = await transaction.withTables<Tables>().selectFrom('migrations').select('name').execute()
  return new Set(rows.map(({ name }) => name))
}

/** SQLite has one writer anyway. On PostgreSQL a lock until the transaction's end, taken before its snapshot; a step may take its time there. */
async function exclusively(database: Database, transaction: Transaction<NoTables>): Promise<void> {
  if (database.kind === 'sqlite') return
  await sql`set transaction isolation level read committed`.execute(transaction)
  await sql`set local statement_timeout = 0`.execute(transaction)
  await sql`set local lock_timeout = '60s'`.execute(transaction)
  await sql`select pg_advisory_xact_lock(4851137215)`.execute(transaction)
}

/** What columns are called in a database. */
export function columnTypes(database: Database): ColumnTypes {
  if (database.kind === 'sqlite') return { bytes: 'blob', integer: 'integer', text: 'text' }
  return { bytes: 'bytea', integer: 'bigint', text: sql`text collate "C"` }
}

function newer(unknown: readonly string[]): CountersignError {
  return new CountersignError('database_newer', 'the database was made by a newer version of this program', {
    found: unknown.slice(0, 5).join(', '),
    hint: 'Run the newer version, or restore a backup from before the upgrade.',
  })
}

function empty(): CountersignError {
  const hint = 'Restore it from a backup, or name the right one; only a first start makes one.'
  return new CountersignError('database_missing', 'the database is empty', { hint })
}
