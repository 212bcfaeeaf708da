/** One connection to a SQLite file: prepared statements kept by their text, failures mapped. Everything here is synchronous. */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { SqlValue, Statements } from './database.ts'
import { sqliteFailure } from './failure.ts'
import { checkedParameters, type StatementResult } from './session.ts'

/** An open connection. Every method throws the failures of `Database`. */
export type SqliteConnection = {
  readonly execute: (text: string, parameters: readonly unknown[]) => StatementResult
  /** Several rows by one statement, kept; inside a transaction, which the caller rolls back when it throws. */
  readonly insert: (...request: Parameters<Statements['insert']>) => number
  /** Statements without parameters and results: pragmas, `begin`, `commit`. */
  readonly command: (text: string) => void
  readonly inTransaction: () => boolean
  readonly close: () => void
}

/** What a connection changes nothing through, or everything. */
export type SqliteMode = 'write' | 'read'

// More texts than a program has; beyond it the oldest goes, as with texts made from lists of any length.
const keptStatements = 512

type Prepared = { readonly statement: StatementSync; readonly givesRows: boolean }

/** Opens a connection. `waitMs` is how long SQLite itself, blocking, waits for another process. */
export function connectSqlite(file: string, mode: SqliteMode, waitMs: number): SqliteConnection {
  return mapping(file, () => {
    const database = new DatabaseSync(file, { timeout: waitMs, enableForeignKeyConstraints: true, enableDoubleQuotedStringLiterals: false })
    try {
      database.exec(pragmas + (mode === 'read' ? 'pragma query_only = on;' : ''))
    } catch (thrown) {
      database.close()
      throw thrown
    }
    return connectionOver(database, file)
  })
}

// What a commit confirmed survives power loss only with `full`; `like` minds case as it does on PostgreSQL; a schema that someone has
// tampered with calls no functions.
const pragmas = `
  pragma journal_mode = wal; pragma synchronous = full; pragma case_sensitive_like = on; pragma trusted_schema = off;
  pragma journal_size_limit = 67108864; pragma wal_autocheckpoint = 4000; pragma cache_size = -16000; pragma temp_store = memory;
`

function connectionOver(database: DatabaseSync, file: string): SqliteConnection {
  const kept = new Map<string, Prepared>()
  const prepared = (text: string): Prepared => {
    const known = kept.get(text)
    if (known !== undefined) return known
    const statement = database.prepare(text)
    const fresh = { statement, givesRows: statement.columns().length > 0 }
    if (kept.size >= keptStatements) kept.delete(kept.keys().next().value ?? '')
    kept.set(text, fresh)
    return fresh
  }
  return {
    execute: (text, parameters) => mapping(file, () => run(prepared(text), checkedParameters(parameters))),
    insert: (table, columns, rows, conflicts = 'fail') =>
      mapping(file, () => {
        const { statement } = prepared(insertText(table, columns, conflicts))
        let inserted = 0
        for (const row of rows) inserted += Number(statement.run(...checkedParameters(row)).changes)
        return inserted
      }),
    command: (text) => mapping(file, () => database.exec(text)),
    inTransaction: () => database.isOpen && database.isTransaction,
    close: () => database.close(),
  }
}

function run({ statement, givesRows }: Prepared, parameters: readonly SqlValue[]): StatementResult {
  if (!givesRows) return { rows: [], affected: Number(statement.run(...parameters).changes) }
  const rows = statement.all(...parameters) as StatementResult['rows']
  return { rows, affected: rows.length }
}

function insertText(table: string, columns: readonly string[], conflicts: 'fail' | 'ignore'): string {
  const names = columns.map((name) => `"${name}"`).join(', ')
  return `insert into "${table}" (${names}) values (${columns.map(() => '?').join(', ')})${conflicts === 'ignore' ? ' on conflict do nothing' : ''}`
}

function mapping<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (thrown) {
    throw sqliteFailure(thrown, file)
  }
}
