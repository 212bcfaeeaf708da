/** The file of a SQLite database before it is used: is it there, is it ours, is it whole. */
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError } from '@countersign/core/failure'
import { codeOf, syncFolder } from '../data-folder/durable-file.ts'
import { connectSqlite, type SqliteConnection } from './sqlite-connection.ts'
import { sqliteFailure } from './failure.ts'

// `CSgn`, at offset 68 of the header (https://sqlite.org/fileformat.html#application_id): another program's database is none of ours.
const applicationId = 0x43_53_67_6e
const headerText = 'SQLite format 3\0'
const checkedAtOpen = 64 * 1024 * 1024

/** Makes the file if it may, and checks it. Throws `database_missing`, `database_damaged`, `database_busy`, `database_failed`. */
export async function prepareSqliteFile(file: string, create: boolean, busyMs: number): Promise<void> {
  const size = await sizeOf(file, create)
  if (size === 0 && create) {
    await patiently(file, busyMs, (connection) => connection.command(`pragma application_id = ${applicationId}`))
    await syncFolder(dirname(file)).catch((thrown: unknown) => fail(file, thrown))
    return
  }
  await checkHeader(file)
  const check = size <= checkedAtOpen ? 'quick_check(1)' : 'schema_version'
  await patiently(file, busyMs, (connection) => checked(connection, file, check))
}

/** Reads the whole file and checks every page, row and index; takes long for a large one. Throws as opening does. */
export async function checkSqlite(file: string): Promise<void> {
  await sizeOf(file, false)
  await checkHeader(file)
  await patiently(file, 5_000, (connection) => checked(connection, file, 'integrity_check(1)'))
}

function checked(connection: SqliteConnection, file: string, check: string): void {
  const [row] = connection.execute(`pragma ${check}`, []).rows
  const answer = Object.values(row ?? {})[0]
  if (answer !== 'ok' && typeof answer !== 'number') throw damaged(file, String(answer).slice(0, 200))
}

/** Size in bytes. An empty file is one that was cut off, unless a first start may have left it. */
async function sizeOf(file: string, create: boolean): Promise<number> {
  try {
    const handle = await open(file, create ? 'a+' : 'r', 0o600)
    try {
      const { size } = await handle.stat()
      if (size === 0 && !create) throw damaged(file, 'it is empty')
      return size
    } finally {
      await handle.close()
    }
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') {
      throw new CountersignError('database_missing', `there is no database ${file}`, {
        cause: thrown,
        hint: 'Restore it from a backup; only a first start makes one.',
      })
    }
    throw sqliteFailure(thrown, file)
  }
}

async function checkHeader(file: string): Promise<void> {
  const header = new Uint8Array(100)
  let handle: FileHandle | undefined
  try {
    handle = await open(file, 'r')
    await handle.read(header, 0, 100, 0)
  } catch (thrown) {
    throw sqliteFailure(thrown, file)
  } finally {
    await handle?.close()
  }
  if (String.fromCharCode(...header.subarray(0, 16)) !== headerText) throw damaged(file, 'it does not begin as SQLite files do')
  if (new DataView(header.buffer).getUint32(68) !== applicationId) throw damaged(file, 'it is not a database of this program')
}

/** Opens a connection for one thing; waits for another process that is opening, recovering or closing the file. */
async function patiently(file: string, busyMs: number, work: (connection: SqliteConnection) => void): Promise<void> {
  const deadline = performance.now() + busyMs
  for (;;) {
    try {
      const connection = connectSqlite(file, 'write', 0)
      try {
        return work(connection)
      } finally {
        connection.close()
      }
    } catch (thrown) {
      const failure = sqliteFailure(thrown, file)
      if (failure.code !== 'database_busy' || performance.now() > deadline) throw failure
      await sleep(20)
    }
  }
}

function damaged(file: string, found: string): CountersignError {
  return new CountersignError('database_damaged', `${file} is damaged: ${found}`, { found, hint: 'Restore the data folder from a backup.' })
}

function fail(file: string, thrown: unknown): never {
  throw sqliteFailure(thrown, file)
}
