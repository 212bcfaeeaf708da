/** Small inputs read whole: files, and stdin as `-`. */
import { access, open } from 'node:fs/promises'
import { CountersignError } from '@countersign/core/failure'
import { becauseOf, systemCode } from '../failure/system.ts'

/** Whether there is a file, folder or pipe of this name. */
export function fileExists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** The bytes of a file or of stdin. Throws `file_not_found`, `io_failed`, `limit_exceeded` beyond `maxBytes`: `/dev/zero` is a file too. */
export async function readInput(path: string, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  const add = (part: Uint8Array): void => {
    length += part.length
    if (length > maxBytes) throw new CountersignError('limit_exceeded', `${path === '-' ? 'stdin' : path} is longer than ${maxBytes} bytes`)
    parts.push(part)
  }
  if (path === '-') {
    for await (const part of process.stdin as AsyncIterable<Buffer>) add(part)
    return Buffer.concat(parts)
  }
  try {
    await using file = await open(path, 'r')
    for await (const part of file.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) add(part)
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause
    if (systemCode(cause) === 'ENOENT') throw new CountersignError('file_not_found', `no such file: ${path}`, { cause })
    throw new CountersignError('io_failed', `cannot read ${path}${becauseOf(cause)}`, {
      cause,
      ...(becauseOf(cause) === '' ? {} : { hint: 'Name a file that you may read.' }),
    })
  }
  return Buffer.concat(parts)
}
