/** Files as sources that show their progress. */
import { stat } from 'node:fs/promises'
import { fileBlobSource, stdinBlobSource } from '@countersign/sdk/blob/source'
import type { BlobSource } from '@countersign/sdk/sign/requests'
import { beginProgress } from '../terminal/progress.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Whether there is a folder of this name; what is not there at all is told when it is read. */
export function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

/** A file or stdin (`-`), and what ends its progress line. */
export async function blobSource(
  terminal: Terminal,
  path: string,
  doing: string,
): Promise<{ readonly source: BlobSource; readonly end: () => void }> {
  const plain = path === '-' ? stdinBlobSource() : fileBlobSource(path)
  if (!terminal.errIsTerminal) return { source: plain, end: () => undefined }
  const size =
    path === '-'
      ? undefined
      : await stat(path).then(
          (found) => found.size,
          () => undefined,
        )
  const progress = beginProgress(terminal, `${doing} ${path}`, size, 'bytes')
  const open = async function* (): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of plain.open()) {
      progress.advance(chunk.length)
      yield chunk
    }
  }
  return { source: { ...plain, open }, end: progress.end }
}
