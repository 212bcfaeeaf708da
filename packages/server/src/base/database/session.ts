/** What SQLite and PostgreSQL have in common beneath the query builder. */
import { CountersignError } from '@countersign/core/failure'
import type { SqlValue, Statements } from './database.ts'

/** What one statement gave. */
export type StatementResult = { readonly rows: readonly Readonly<Record<string, SqlValue>>[]; readonly affected: number }

/** What is known of a statement: that it changes nothing, that its text will come again. */
export type StatementKind = { readonly readOnly: boolean; readonly keep: boolean }

/** Something that runs statements: a connection, or the choice of one. */
export type Session = {
  /** Runs a statement in the database's own syntax of parameters. */
  readonly execute: (text: string, parameters: readonly unknown[], kind: StatementKind) => Promise<StatementResult>
  readonly insert: Statements['insert']
}

/** A session that begins and ends a transaction. */
export type TransactionSession = Session & {
  readonly begin: () => Promise<void>
  readonly commit: () => Promise<void>
  readonly rollback: () => Promise<void>
  /** Gives back what the session holds; called once, at its end. */
  readonly release: () => Promise<void>
}

/** Statements over a session; `translate` turns `?` into what the database calls parameters. */
export function statementsOf(session: () => Session, translate: (text: string) => string): Statements {
  const execute = (text: string, parameters: readonly SqlValue[]) =>
    session().execute(translate(text), parameters, { readOnly: isSelect(text), keep: true })
  return {
    query: async <Row extends Readonly<Record<string, SqlValue>>>(text: string, parameters: readonly SqlValue[] = []) =>
      (await execute(text, parameters)).rows as readonly Row[],
    run: async (text, parameters = []) => (await execute(text, parameters)).affected,
    insert: async (table, columns, rows, conflicts) => {
      if (rows.some((row) => row.length !== columns.length))
        throw new CountersignError('internal', `a row for ${table} has not ${columns.length} values`)
      return rows.length === 0 ? 0 : session().insert(table, columns, rows, conflicts)
    },
  }
}

/** True if a statement surely changes nothing. */
export function isSelect(text: string): boolean {
  return /^\s{0,64}select\b/i.test(text)
}

/**
 * After a failed statement nothing but the end: PostgreSQL gives up the transaction then, and SQLite would go on and commit the other half.
 */
export function strictTransaction(session: TransactionSession): TransactionSession {
  let failure: { readonly thrown: unknown } | undefined
  const strictly = async <T>(work: () => Promise<T>): Promise<T> => {
    if (failure !== undefined) throw failure.thrown
    try {
      return await work()
    } catch (thrown) {
      failure = { thrown }
      throw thrown
    }
  }
  return {
    ...session,
    execute: (...request) => strictly(() => session.execute(...request)),
    insert: (...request) => strictly(() => session.insert(...request)),
    commit: () => strictly(() => session.commit()),
  }
}

/** What both databases can store; a NUL that SQLite would take fails here as it would on PostgreSQL. Throws `database_failed`. */
export function checkedParameters(parameters: readonly unknown[]): readonly SqlValue[] {
  for (const value of parameters) if (!isStorable(value)) throw refused(value)
  return parameters as readonly SqlValue[]
}

function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0')
  if (typeof value === 'number') return Number.isFinite(value)
  return value === null || value instanceof Uint8Array
}

function refused(value: unknown): CountersignError {
  const found = typeof value === 'string' ? 'text with a NUL' : typeof value === 'number' ? String(value) : typeof value
  return new CountersignError('database_failed', `a parameter is ${found}`, {
    expected: 'text without NUL, a finite number, bytes or null',
    found,
  })
}
