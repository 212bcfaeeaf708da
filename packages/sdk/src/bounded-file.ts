/** Files of this machine, read with a bound. */
import { open } from 'node:fs/promises'
import { joinBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { unreadableFile } from './file-failure.ts'

/**
 * A file whole. It is read as it comes and not by its size: `/dev/stdin` and `<(…)` are files too, and some have no end. Throws `file_not_found`,
 * `io_failed`, `limit_exceeded` beyond `maxBytes`.
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    await using file = await open(path, 'r')
    for await (const part of file.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
      length += part.length
      if (length > maxBytes) throw new CountersignError('limit_exceeded', `${path} is longer than ${maxBytes} bytes`)
      parts.push(part)
    }
  } catch (cause) {
    throw unreadableFile(path, cause)
  }
  return joinBytes(parts)
}

/** A file whole, `undefined` when it is not there. Throws `io_failed`, `limit_exceeded`. */
export async function readFileIfThere(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    return await readBoundedFile(path, maxBytes)
  } catch (cause) {
    if (cause instanceof CountersignError && cause.code === 'file_not_found') return undefined
    throw cause
  }
}
