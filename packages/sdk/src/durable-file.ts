/** Files that are there as a whole or not at all, also after a power loss: the one place where they are written. */
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { randomUUID } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import { unwritableFile } from './file-failure.ts'

/** What a file is made of: all of it, or pieces that are written one after the other. */
type FileContent = string | Uint8Array | Iterable<string> | AsyncIterable<Uint8Array>

/**
 * Writes a file, and the folders above it where they are missing, as {@link replaceWhole} does. A stream that fails with a failure of the
 * platform fails with that, and leaves the old content. Throws `io_failed` otherwise.
 */
export async function writeDurably(path: string, content: FileContent): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true })
    await replaceWhole(path, content, 0o644)
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause
    throw unwritableFile(path, cause)
  }
}

/**
 * Writes a file under a temporary name, syncs it, renames it and syncs the folder. A crash leaves the old content or the new one, and at most a
 * file `*.tmp` beside it. Throws what the system or the content throws; then the old content stays, or the new one where only its folder could not
 * be synced.
 */
export async function replaceWhole(path: string, content: FileContent, mode: number): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    await writeNew(temporary, content, mode)
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw cause
  }
}

/** Writes a file where none is, and syncs it. Throws what the system or the content throws, and leaves what was written so far. */
export async function writeNew(path: string, content: FileContent, mode: number): Promise<void> {
  await using file = await open(path, 'wx', mode)
  await file.writeFile(content)
  await file.sync()
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}
