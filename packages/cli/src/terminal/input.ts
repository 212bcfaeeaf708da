/** Small inputs read whole: files, and stdin as `-`. */
import { access } from 'node:fs/promises'
import { CountersignError } from '@countersign/core/failure'
import { readBoundedFile } from '@countersign/sdk/bounded-file'

/** Whether there is a file, folder or pipe of this name. */
export function fileExists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** The bytes of a file or of stdin. Throws `file_not_found`, `io_failed`, `limit_exceeded` beyond `maxBytes`. */
export async function readInput(path: string, maxBytes: number): Promise<Uint8Array> {
  if (path !== '-') return readBoundedFile(path, maxBytes)
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of process.stdin as AsyncIterable<Buffer>) {
    length += part.length
    if (length > maxBytes) throw new CountersignError('limit_exceeded', `stdin is longer than ${maxBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}
