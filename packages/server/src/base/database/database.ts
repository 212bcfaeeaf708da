/** The port to the database: one query builder, one set of migrations, SQLite and PostgreSQL. */
import type { Kysely, RawBuilder, Transaction } from 'kysely'

/** No tables of its own: a room names its tables with `database.sql.withTables<ItsTables>()`. */
export type NoTables = {} // oxlint-disable-line typescript/no-empty-object-type

/**
 * An open database. Integers are JavaScript numbers (safe ones), bytes are `Uint8Array`, booleans are 0 and 1, times are Unix milliseconds;
 * text holds no NUL (PostgreSQL cannot store it), compares by its bytes, and `like` minds case.
 *
 * Failures are `CountersignError`: `database_failed` with the driver's error as cause, `database_busy` when another writer kept it too long,
 * `database_damaged` when the file is not what was written.
 */
export type Database = {
  readonly kind: 'sqlite' | 'postgres'
  /** For reads and for single statements, each its own transaction. Durable when the promise resolves. */
  readonly sql: Kysely<NoTables>
  /** The same without the query builder, for where every microsecond counts. */
  readonly raw: Statements
  /**
   * Runs `work` in one transaction that sees no half of another: `BEGIN IMMEDIATE` on SQLite, `SERIALIZABLE` with retries on PostgreSQL, so
   * that `work` may run more than once and must do nothing but queries, all of them through its arguments (`sql` and `raw` of the database
   * refuse to work inside: they would wait for the transaction that waits for them). Committed durably when it resolves; rolled back when
   * `work` throws.
   */
  readonly transaction: <T>(work: (transaction: Transaction<NoTables>, raw: Statements) => Promise<T>) => Promise<T>
  readonly close: () => Promise<void>
}

/** What a statement takes in and gives out. */
export type SqlValue = string | number | null | Uint8Array

/** Prepared statements, kept from call to call by their text: use few texts. Parameters are `?` in the text, which holds no other question mark. */
export type Statements = {
  /** The rows of a `select`, or of what is `returning` some. */
  readonly query: <Row extends Readonly<Record<string, SqlValue>>>(
    text: string,
    parameters?: readonly SqlValue[],
  ) => Promise<readonly Row[]>
  /** How many rows a statement changed. */
  readonly run: (text: string, parameters?: readonly SqlValue[]) => Promise<number>
  /**
   * Inserts any number of rows, all or none; gives how many were inserted. `ignore` passes over rows that a unique column keeps out (those
   * within `rows` too: the first wins), otherwise the first such row fails all.
   */
  readonly insert: (
    table: string,
    columns: readonly string[],
    rows: readonly (readonly SqlValue[])[],
    conflicts?: 'fail' | 'ignore',
  ) => Promise<number>
}

/** One step of the schema. Names are `<room>-<4 digits>-<words>` and run in the order in which compose lists the rooms; a step that ran never changes. */
export type Migration = {
  readonly name: string
  readonly up: (sql: Transaction<NoTables>, types: ColumnTypes) => Promise<void>
}

/** What columns are called in the database at hand, for `addColumn`. */
export type ColumnTypes = {
  readonly bytes: 'blob' | 'bytea'
  readonly integer: 'integer' | 'bigint'
  /** Text that compares and sorts by its bytes, whatever the database's own collation. */
  readonly text: 'text' | RawBuilder<unknown>
}
