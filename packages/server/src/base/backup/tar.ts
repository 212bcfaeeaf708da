/** Archives of regular files as ustar (POSIX.1-1988, "ustar Interchange Format"): as much of it as backups need, read strictly. */
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { byteReader } from './byte-reader.ts'

/** A file of an archive. The content must be read to its end before the next one is asked for. */
export type TarFile = { readonly name: string; readonly size: number; readonly content: AsyncIterable<Uint8Array> }

const block = 512
const pieceBytes = 64 * 1024
const maxName = 255
/** Eleven octal digits. */
const maxSize = 8 ** 11 - 1

/** Writes files one after the other, and the end. Throws `io_failed` for a file that is not as long as it said. */
export async function* writeTar(files: AsyncIterable<TarFile>): AsyncGenerator<Uint8Array> {
  for await (const { name, size, content } of files) {
    yield headerOf(name, size)
    let written = 0
    for await (const piece of content) {
      written += piece.length
      yield piece
    }
    if (written !== size)
      throw new CountersignError('io_failed', `${name} changed while it was read`, { expected: `${size} bytes`, found: `${written}` })
    yield new Uint8Array(padding(size))
  }
  yield new Uint8Array(2 * block)
}

/** Reads files in their order. Throws `backup_damaged` for anything that {@link writeTar} does not write. */
export async function* readTar(archive: AsyncIterable<Uint8Array>): AsyncGenerator<TarFile> {
  const reader = byteReader(archive)
  const exactly = async (count: number): Promise<Uint8Array> => {
    const bytes = await reader.upTo(count)
    if (bytes.length < count) throw malformed('it ends in the middle of a file')
    return bytes
  }
  for (;;) {
    const header = await exactly(block)
    if (header.every((byte) => byte === 0)) {
      const end = await exactly(block)
      if (end.some((byte) => byte !== 0) || (await reader.upTo(1)).length > 0) throw malformed('something follows its end')
      return
    }
    const { name, size } = readHeader(header)
    let left = size
    const content = async function* (): AsyncGenerator<Uint8Array> {
      while (left > 0) {
        const piece = await exactly(Math.min(left, pieceBytes))
        left -= piece.length
        yield piece
      }
    }
    yield { name, size, content: content() }
    if (left > 0) throw new CountersignError('internal', `${name} was not read to its end`)
    await exactly(padding(size))
  }
}

function headerOf(name: string, size: number): Uint8Array {
  const bytes = utf8(name)
  const slash = bytes.length > 100 ? name.indexOf('/', bytes.length - 101) : -1
  if (bytes.length > maxName || (bytes.length > 100 && slash < 0) || size > maxSize) {
    throw new CountersignError('not_supported', `${name} is too long or too large for an archive`)
  }
  const header = new Uint8Array(block)
  const put = (text: string, at: number): void => header.set(utf8(text), at)
  put(name.slice(slash + 1), 0)
  put('0000600\0', 100)
  put('0000000\0', 108)
  put('0000000\0', 116)
  put(`${octal(size)}\0`, 124)
  put(`${octal(0)}\0`, 136)
  put('        ', 148)
  put('0', 156)
  put('ustar\u000000', 257)
  if (slash > 0) put(name.slice(0, slash), 345)
  put(`${sumOf(header).toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

function readHeader(header: Uint8Array): { readonly name: string; readonly size: number } {
  const text = (at: number, length: number): string => {
    const bytes = header.subarray(at, at + length)
    const end = bytes.indexOf(0)
    return fromUtf8(end < 0 ? bytes : bytes.subarray(0, end))
  }
  const bare = header.slice().fill(0x20, 148, 156)
  if (text(257, 6) !== 'ustar' || text(156, 1) !== '0') throw malformed('it holds something else than a regular file')
  if (Number.parseInt(text(148, 7), 8) !== sumOf(bare)) throw malformed('the sum of a header is wrong')
  const size = /^[0-7]{11}$/.test(text(124, 12)) ? Number.parseInt(text(124, 12), 8) : Number.NaN
  const prefix = text(345, 155)
  const name = prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`
  // Hostile: a name must not lead out of the folder that is restored into.
  if (Number.isNaN(size) || !/^[A-Za-z0-9._/-]+$/.test(name) || name.split('/').some((segment) => ['', '.', '..'].includes(segment))) {
    throw malformed('a name or size is none of ours')
  }
  return { name, size }
}

function sumOf(header: Uint8Array): number {
  return header.reduce((sum, byte) => sum + byte, 0)
}

function octal(value: number): string {
  return value.toString(8).padStart(11, '0')
}

function padding(size: number): number {
  return (block - (size % block)) % block
}

function malformed(detail: string): CountersignError {
  return new CountersignError('backup_damaged', `the archive of the backup is malformed: ${detail}`)
}
