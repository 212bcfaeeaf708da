/** The port to the database: one query builder, one set of migrations, SQLite and PostgreSQL. */
import type { Kysely, Transaction } from 'kysely'

/** No tables of its own: a room names its tables with `database.sql.withTables<ItsTables>()`. */
// oxlint-disable-next-line typescript/no-empty-object-type
export type NoTables = {}

/**
 * An open database. Integers are JavaScript numbers (safe ones), bytes are `Uint8Array`, booleans are 0 and 1, times are Unix milliseconds.
 *
 * Failures are `CountersignError`: `database_failed` with the driver's error as cause, `database_busy` when another writer kept it too long.
 */
export type Database = {
  readonly kind: 'sqlite' | 'postgres'
  /** For reads and for single statements, each its own transaction. Durable when the promise resolves. */
  readonly sql: Kysely<NoTables>
  /**
   * Runs `work` in one transaction that sees no half of another: `BEGIN IMMEDIATE` on SQLite, `SERIALIZABLE` with retries on PostgreSQL, so
   * that `work` may run more than once and must do nothing but queries. Committed durably when it resolves; rolled back when `work` throws.
   */
  readonly transaction: <T>(work: (transaction: Transaction<NoTables>) => Promise<T>) => Promise<T>
  readonly close: () => Promise<void>
}

/** One step of the schema. Names are `<room>-<4 digits>-<words>` and run in the order in which compose lists the rooms; a step that ran never changes. */
export type Migration = {
  readonly name: string
  readonly up: (sql: Transaction<NoTables>, types: ColumnTypes) => Promise<void>
}

/** What columns are called in the database at hand. */
export type ColumnTypes = { readonly bytes: 'blob' | 'bytea'; readonly integer: 'integer' | 'bigint'; readonly text: 'text' }
