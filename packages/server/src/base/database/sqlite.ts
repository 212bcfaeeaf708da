/** A database in one SQLite file: write-ahead log, every commit synced, one writer. */
import { CountersignError } from '@countersign/core/failure'
import { breathing } from './breathing.ts'
import type { Database } from './database.ts'
import { databaseOver } from './dialect.ts'
import type { Session, StatementResult, TransactionSession } from './session.ts'
import { connectSqlite, type SqliteConnection } from './sqlite-connection.ts'
import { prepareSqliteFile } from './sqlite-file.ts'
import { commit, rollback, type SqliteWriter, sqliteWriter } from './sqlite-writer.ts'

/** How a SQLite database is opened. */
export type SqliteOptions = {
  /** Makes the file where there is none: at a first start alone. Default: its absence is `database_missing`. */
  readonly create?: boolean
  /** How long a writer waits for its turn; default 5,000. */
  readonly busyMs?: number
  /** How long a transaction may last before it is rolled back, so that nothing that hangs stops all the others; default 30,000. */
  readonly transactionMs?: number
}

/**
 * Opens the database in a file.
 *
 * Throws `database_missing` when there is none, `database_damaged` when the file is none of ours or fails SQLite's check (of files up to
 * 64 MiB; larger ones are checked by `checkSqlite` alone), `database_busy` and `database_failed`.
 */
export async function openSqlite(file: string, options: SqliteOptions = {}): Promise<Database> {
  const { busyMs = 5_000, transactionMs = 30_000 } = options
  await prepareSqliteFile(file, options.create === true, busyMs)
  const writing = connectSqlite(file, 'write', 0)
  const reading = connectSqlite(file, 'read', 1_000)
  const writer = sqliteWriter(writing, busyMs)
  return databaseOver({
    kind: 'sqlite',
    autocommit: autocommitSession(writing, reading, writer),
    open: async () => transactionSession(writing, writer, transactionMs),
    translate: (text) => text,
    again: async () => false,
    close: async () => {
      // After the last turn: what waits before it is still written.
      const done = await writer.alone()
      rollback(writing)
      reading.close()
      writing.close()
      done()
    },
  })
}

function autocommitSession(writing: SqliteConnection, reading: SqliteConnection, writer: SqliteWriter): Session {
  const breathe = breathing()
  return {
    execute: async (text, parameters, { readOnly }) => {
      if (!readOnly) return writer.together(() => writing.execute(text, parameters))
      await breathe()
      return reading.execute(text, parameters)
    },
    insert: (...request) => writer.together(() => allOrNone(writing, () => writing.insert(...request))),
  }
}

/** Takes back the rows of this request alone when one of them fails. */
function allOrNone<T>(connection: SqliteConnection, work: () => T): T {
  connection.command('savepoint request')
  try {
    const result = work()
    connection.command('release request')
    return result
  } catch (thrown) {
    if (connection.inTransaction()) connection.command('rollback to request; release request')
    throw thrown
  }
}

function transactionSession(connection: SqliteConnection, writer: SqliteWriter, transactionMs: number): TransactionSession {
  let done: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  let late = false
  const end = () => {
    clearTimeout(timer)
    rollback(connection)
    done?.()
    done = undefined
  }
  const during = <T>(work: () => T): T => {
    if (late) throw new CountersignError('database_busy', `the transaction was rolled back after ${transactionMs} ms`)
    if (done === undefined || !connection.inTransaction()) throw new CountersignError('database_failed', 'the transaction is over')
    return work()
  }
  const breathe = breathing()
  const run = async (text: string, parameters: readonly unknown[]): Promise<StatementResult> => {
    await breathe()
    return during(() => connection.execute(text, parameters))
  }
  return {
    begin: async () => {
      done = await writer.alone()
      timer = setTimeout(() => {
        late = true
        end()
      }, transactionMs)
    },
    execute: run,
    insert: async (...request) => during(() => allOrNone(connection, () => connection.insert(...request))),
    commit: async () => {
      const failure = during(() => commit(connection))
      if (failure !== undefined) throw failure
    },
    rollback: async () => end(),
    release: async () => end(),
  }
}
