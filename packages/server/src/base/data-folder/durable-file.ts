/**
 * Small files that are there whole or not at all, also after power loss: written to a temporary name, synced, named, and the folder synced.
 * A crash leaves at most a file called `.NAME.<random>.new` beside it, which nobody reads.
 */
import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'

/** Writes a file as a whole, replacing what was there; durable when it resolves. Throws `io_failed`. */
export async function replaceFile(path: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  await writing(path, async () => {
    const unfinished = await writeBeside(path, bytes, mode)
    await rename(unfinished, path)
    await syncFolder(dirname(path))
  })
}

/** Writes a file only where none is; `false` when one is there, untouched. Of several at once, one gets `true`. Throws `io_failed`. */
export async function createFile(path: string, bytes: Uint8Array | string, mode: number): Promise<boolean> {
  return writing(path, async () => {
    const unfinished = await writeBeside(path, bytes, mode)
    try {
      await link(unfinished, path)
    } catch (cause) {
      if (codeOf(cause) === 'EEXIST') return false
      throw cause
    } finally {
      await unlink(unfinished)
    }
    await syncFolder(dirname(path))
    return true
  })
}

/** The bytes of a file; `undefined` when there is none. Throws `io_failed` for anything else that keeps it from being read. */
export async function readFileIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(path))
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined
    throw new CountersignError('io_failed', `${path} cannot be read (${codeOf(cause)})`, { cause })
  }
}

/** Makes a folder and those above it, readable by this account alone; durable when it resolves. Throws `io_failed`. */
export async function makeFolder(path: string): Promise<void> {
  await writing(path, async () => {
    await makeFolders(path)
    await syncFolder(dirname(path))
  })
}

/** Not `recursive`: where a file system takes no folders (`/proc`), Node would try for ever. */
async function makeFolders(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT' || dirname(path) === path) throw cause
    await makeFolders(dirname(path))
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw cause
  }
}

/** Makes the names in a folder durable: a renamed file is found after power loss. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** `ENOENT` and the like; `unknown` for what the system did not name. */
export function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'unknown'
}

async function writeBeside(path: string, bytes: Uint8Array | string, mode: number): Promise<string> {
  const unfinished = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.new`)
  const file = await open(unfinished, 'wx', mode)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } catch (cause) {
    await unlink(unfinished)
    throw cause
  } finally {
    await file.close()
  }
  return unfinished
}

async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw new CountersignError('io_failed', `${path} cannot be written (${codeOf(cause)})`, { cause })
  }
}
