/** Files that a verb writes. */
import { open } from 'node:fs/promises'
import { replaceWhole } from '@countersign/sdk/durable-file'
import { systemCode, unwritableFile } from '@countersign/sdk/file-failure'

/**
 * Writes a file as a whole: under a temporary name, synced, then renamed, so that no reader ever sees half of it; its name is synced too.
 * Pieces are written one after the other. What is no regular file (`/dev/stdout`, a pipe) is written in place. Throws `io_failed`.
 */
export async function writeWhole(path: string, content: string | Uint8Array | Iterable<string>): Promise<void> {
  try {
    if (!(await isSpecial(path))) return await replaceWhole(path, content, 0o644)
    await using target = await open(path, 'w')
    await target.writeFile(content)
  } catch (cause) {
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
