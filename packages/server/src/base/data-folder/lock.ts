/**
 * The lock of a data folder: a lock of the operating system on `countersign.lock` (taken through SQLite, which knows how on every platform), so
 * that it ends with its process, also after `kill -9`; nothing in the file has to be believed or cleaned up.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CountersignError } from '@countersign/core/failure'

/** A lock held. */
export type FolderLock = {
  /** Holds it in the other mode from now on. Throws `data_folder_locked` when others are in the way; it is not held then. */
  readonly change: (mode: LockMode) => void
  readonly release: () => void
}

/** `alone`: nobody else may hold it. `together`: any number of processes that share a database server, and nobody who wants it alone. */
export type LockMode = 'alone' | 'together'

/** Takes the lock, or throws `data_folder_locked` at once. The folder must exist. */
export function folderLock(folder: string, mode: LockMode): FolderLock {
  let held = { mode, file: take(folder, mode) }
  return {
    change: (next) => {
      if (next === held.mode) return
      held.file.close()
      held = { mode: next, file: take(folder, next) }
    },
    release: () => {
      if (held.file.isOpen) held.file.close()
    },
  }
}

function take(folder: string, mode: LockMode): DatabaseSync {
  const path = join(folder, 'countersign.lock')
  let file: DatabaseSync
  try {
    file = new DatabaseSync(path, { timeout: 0 })
  } catch (cause) {
    throw new CountersignError('io_failed', `${path} cannot be opened`, { cause })
  }
  try {
    // Nothing is ever written: a journal would only be left behind.
    file.exec('pragma journal_mode = off')
    file.exec(mode === 'alone' ? 'begin exclusive' : 'begin')
    // A deferred transaction takes its shared lock with the first read.
    if (mode === 'together') file.exec('select count(*) from sqlite_schema')
    return file
  } catch (cause) {
    file.close()
    if (!(cause instanceof Error) || !/locked|busy/.test(cause.message)) {
      throw new CountersignError('data_folder_damaged', `${path} cannot be locked`, {
        cause,
        hint: 'It holds nothing: remove it, and start again.',
      })
    }
    throw new CountersignError('data_folder_locked', `another process serves from ${folder}, or works on it`, {
      cause,
      hint: 'Stop it first; or use another folder with --data.',
    })
  }
}
