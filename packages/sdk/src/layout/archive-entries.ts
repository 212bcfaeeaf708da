/** The entries of a tar file that is being written: one after the other, none of them twice in memory. */
import { CountersignError } from '@countersign/core/failure'
import type { Pack } from 'tar-stream'
import { unwritableFile } from '../file-failure.ts'

/** Puts files into a tar file: bytes that are there, or a stream of a size that is known before. */
export type ArchiveEntries = {
  readonly bytes: (path: string, bytes: Uint8Array) => Promise<void>
  readonly stream: (path: string, size: number, parts: AsyncIterable<Uint8Array>) => Promise<void>
}

/** Writes entries one after the other: a tar file takes one at a time. They fail with `io_failed`, or as their stream does. */
export function entryWriter(tar: Pack, file: string): ArchiveEntries {
  let before: Promise<unknown> = Promise.resolve()
  const stream: ArchiveEntries['stream'] = (path, size, parts) => {
    const mine = before.then(async () => {
      try {
        await writeEntry(tar, path, size, parts)
      } catch (cause) {
        // Half an entry cannot be taken back: the archive is lost with it.
        tar.destroy()
        throw cause instanceof CountersignError ? cause : unwritableFile(file, cause)
      }
    })
    before = mine.catch(() => undefined)
    return mine
  }
  return { stream, bytes: (path, bytes) => stream(path, bytes.length, chunks(bytes)) }
}

function writeEntry(tar: Pack, path: string, size: number, parts: AsyncIterable<Uint8Array>): Promise<void> {
  return new Promise((resolve, reject) => {
    const header = { name: path, size, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 }
    const entry = tar.entry(header, (failure) => (failure === null || failure === undefined ? resolve() : reject(failure)))
    entry.on('error', reject).on('close', () => reject(new CountersignError('io_failed', 'the archive was given up')))
    const feed = async (): Promise<void> => {
      for await (const part of parts) if (!entry.write(part)) await drained(entry)
      entry.end(undefined)
    }
    feed().catch((cause: unknown) => {
      entry.destroy(cause as Error)
      reject(cause)
    })
  })
}

/** Resolves when more may be written, and when nobody takes anything any more. */
function drained(entry: ReturnType<Pack['entry']>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      entry.off('drain', done)
      entry.off('close', done)
      resolve()
    }
    entry.on('drain', done)
    entry.on('close', done)
  })
}

/** Bytes as a stream. */
export async function* chunks(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes
}
