/** What SQLite and PostgreSQL have in common beneath the query builder. */
import { CountersignError } from '@countersign/core/failure'
import type { SqlValue, Statements } from './database.ts'

/** What one statement gave. */
export type StatementResult = { readonly rows: readonly Readonly<Record<string, SqlValue>>[]; readonly affected: number }

/** Something that runs statements: a connection, or the choice of one. */
export type Session = {
  /** Runs a statement in the database's own syntax of parameters. `readOnly` is known to change nothing. */
  readonly execute: (text: string, parameters: readonly unknown[], readOnly: boolean) => Promise<StatementResult>
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
  const execute = (text: string, parameters: readonly SqlValue[]) => session().execute(translate(text), parameters, isSelect(text))
  return {
    query: async <Row extends Readonly<Record<string, SqlValue>>>(text: string, parameters: readonly SqlValue[] = []) =>
      (await execute(text, parameters)).rows as readonly Row[],
    run: async (text, parameters = []) => (await execute(text, parameters)).affected,
    insert: (table, columns, rows, conflicts) => session().insert(table, columns, rows, conflicts),
  }
}

/** True if a statement surely changes nothing. */
export function isSelect(text: string): boolean {
  return /^\s{0,64}select\b/i.test(text)
}

/** What both databases can store; a NUL that SQLite would take fails here as it would on PostgreSQL. Throws `database_failed`. */
export function checkedParameters(parameters: readonly unknown[]): readonly SqlValue[] {
  for (const value of parameters) {
    if (typeof value === 'string' ? !value.includes('\0') : typeof value === 'number' ? Number.isFinite(value) : isNullOrBytes(value))
      continue
    const found = typeof value === 'string' ? 'text with a NUL' : typeof value === 'number' ? String(value) : typeof value
    throw new CountersignError('database_failed', `a parameter is ${found}`, {
      expected: 'text without NUL, a finite number, bytes or null',
      found,
    })
  }
  return parameters as readonly SqlValue[]
}

function isNullOrBytes(value: unknown): boolean {
  return value === null || value instanceof Uint8Array
}
