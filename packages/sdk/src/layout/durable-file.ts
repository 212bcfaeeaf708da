/** Files that are there as a whole or not at all, also after a power loss. */
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { randomUUID } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import { unwritableFile } from '../file-failure.ts'

/**
 * Writes a file under a temporary name, syncs it, renames it and syncs the folder. A crash leaves the old content or the new one. A stream that
 * fails with a failure of the platform fails with that, and leaves the old content.
 */
export async function writeDurably(path: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(temporary, 'wx', 0o644)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (cause) {
    await rm(temporary, { force: true })
    if (cause instanceof CountersignError) throw cause
    throw unwritableFile(path, cause)
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
