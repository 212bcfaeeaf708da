/** The end of `… create`: a JSON document to `--out`, or to stdout. */
import { fromUtf8 } from '@countersign/core/bytes'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { writeWhole } from '../terminal/output-file.ts'

/** Writes the document and concludes. */
export async function writeDocument({ flags, terminal }: Invocation, what: string, document: Uint8Array): Promise<Conclusion> {
  const path = flags.text('out')
  if (path === undefined) terminal.out(`${fromUtf8(document)}\n`)
  else {
    await writeWhole(path, document)
    terminal.err(`Wrote the ${what} to ${path}\n`)
  }
  return { subjects: [{ subject: path ?? what, ok: true, ...(path === undefined ? {} : { files: [path] }) }] }
}
