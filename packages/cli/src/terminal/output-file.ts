/** Files that a verb writes. */
import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemCode, unwritableFile } from '@countersign/sdk/file-failure'
import { syncFolder } from '@countersign/sdk/layout/durable-file'

/**
 * Writes a file as a whole: under a temporary name, synced, then renamed, so that no reader ever sees half of it; its name is synced too.
 * Pieces are written one after the other. What is no regular file (`/dev/stdout`, a pipe) is written in place. Throws `io_failed`.
 */
export async function writeWhole(path: string, content: string | Uint8Array | Iterable<string>): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    if (await isSpecial(path)) {
      await using target = await open(path, 'w')
      await target.writeFile(content)
      return
    }
    {
      await using target = await open(temporary, 'wx', 0o644)
      await target.writeFile(content)
      await target.sync()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw unwritableFile(path, cause)
  }
}

async function isSpecial(path: string): Promise<boolean> {
  try {
    await using file = await open(path, 'r+')
    return !(await file.stat()).isFile()
  } catch (cause) {
    // Absent, or a pipe without a reader: the write itself will say more.
    return systemCode(cause) === 'ENXIO'
  }
}
