/** Files and standard input as sources that are read once, in large pieces, with constant memory. */
import { open } from 'node:fs/promises'
import { unreadableFile } from '../file-failure.ts'
import type { BlobSource } from '../sign/requests.ts'

/** Large enough that the reading of the next piece hides behind the hashing of this one. */
const chunkBytes = 1024 * 1024

/**
 * A file. Throws `file_not_found` or `io_failed` when it is read, not before. A chunk is valid until the next one is asked for: its memory is
 * used again.
 *
 * @example
 * ```ts
 * const { bundle } = await signBlob(fileBlobSource('release.tar.gz'), signer)
 * ```
 */
export function fileBlobSource(path: string): BlobSource {
  return { name: path, repeatable: true, open: () => readFile(path) }
}

/**
 * Standard input, named `-`; it can be read once only.
 *
 * @example
 * ```ts
 * const { signature } = await signBlob(stdinBlobSource(), signer)
 * ```
 */
export function stdinBlobSource(): BlobSource {
  return { name: '-', open: readStdin }
}

/**
 * Bytes that are in memory already.
 *
 * @example
 * ```ts
 * const { bundle } = await signBlob(bytesBlobSource('notes.txt', bytes), signer)
 * ```
 */
export function bytesBlobSource(name: string, bytes: Uint8Array): BlobSource {
  return {
    name,
    size: bytes.length,
    repeatable: true,
    open: async function* () {
      yield bytes
    },
  }
}

/** Two buffers in turn: one is hashed while the other is filled. */
async function* readFile(path: string): AsyncGenerator<Uint8Array, void, void> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw unreadableFile(path, cause)
  })
  try {
    const { size } = await handle.stat()
    const length = Math.min(chunkBytes, Math.max(4_096, size + 1))
    // Not `Buffer`s: whoever keeps a chunk copies it with `slice`, which on a Buffer copies nothing.
    const buffers: [Uint8Array, Uint8Array] = [new Uint8Array(length), new Uint8Array(length)]
    const read = async (turn: 0 | 1): Promise<Uint8Array> => {
      const { bytesRead } = await handle.read(buffers[turn], 0, length, null)
      return buffers[turn].subarray(0, bytesRead)
    }
    let turn: 0 | 1 = 0
    let next = read(turn)
    for (;;) {
      const chunk = await next
      if (chunk.length === 0) return
      turn = turn === 0 ? 1 : 0
      next = read(turn)
      // Awaited again below; here only so that a failure while the consumer works is not "unhandled".
      next.catch(() => undefined)
      yield chunk
    }
  } catch (cause) {
    throw unreadableFile(path, cause)
  } finally {
    await handle.close()
  }
}

async function* readStdin(): AsyncGenerator<Uint8Array, void, void> {
  const { default: process } = await import('node:process')
  try {
    for await (const chunk of process.stdin) yield typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array)
  } catch (cause) {
    throw unreadableFile('-', cause)
  }
}
