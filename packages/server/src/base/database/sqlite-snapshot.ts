/** A copy of a SQLite database as it is at one moment, while others write to it. */
import { backup, DatabaseSync } from 'node:sqlite'
import { CountersignError } from '@countersign/core/failure'
import { sqliteFailure } from './failure.ts'

/** In one step: in pieces, each commit of another process would begin it anew. */
const allPages = 2 ** 31 - 1

/** Copies a database that exists to a file that does not. Throws `database_failed`, `database_busy`. */
export async function snapshotSqlite(file: string, target: string): Promise<void> {
  try {
    const source = new DatabaseSync(file, { readOnly: true, timeout: 5_000 })
    try {
      await backup(source, target, { rate: allPages })
    } finally {
      source.close()
    }
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown
    throw sqliteFailure(thrown, file)
  }
}
