/** `countersign inspect`. */
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { resolveSubject } from '@countersign/sdk/sign/subjects'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags } from '../connection.ts'
import { printable } from '../failure/message.ts'
import { describe } from '../inspect/describe.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { type JsonValue, maxDocumentBytes } from '@countersign/core/json/parse'
import { fileExists, readInput } from '../terminal/input.ts'

const maxBytes = maxDocumentBytes

/** Says what a file, or the manifest behind a reference, is and says. */
export async function inspect(invocation: Invocation): Promise<Conclusion> {
  const { subjects, terminal } = invocation
  const [subject = ''] = subjects
  const { bytes, digest } = await read(invocation, subject)
  const { kind, says } = await describe(bytes)
  terminal.warn('Nothing was verified: what follows is only what the content claims.')
  terminal.out(`${kind}${digest === undefined ? '' : ` ${digest}`}\n${lines(says, '  ')}`)
  return { subjects: [{ subject, ok: true, ...(digest === undefined ? {} : { digest }), content: { kind, verified: false, says } }] }
}

/** A file when there is one of that name, else an image. */
async function read(invocation: Invocation, subject: string): Promise<{ readonly bytes: Uint8Array; readonly digest?: string }> {
  if (subject === '-' || (await fileExists(subject))) return { bytes: await readInput(subject, maxBytes) }
  if (!subject.includes(':') && !subject.includes('@')) throw new CountersignError('file_not_found', `no such file: ${subject}`)
  const reference = parseReference(subject)
  const run = createRegistryRun(connectionFromFlags(invocation))
  try {
    const repository = await run.open(reference.place)
    const { digest } = await resolveSubject(repository, reference)
    const stored = await repository.manifest({ digest })
    if (stored === undefined) throw new CountersignError('artifact_not_found', `${subject} does not exist`)
    return { bytes: stored.bytes, digest }
  } finally {
    run.close()
  }
}

/** A value as indented lines for people. */
function lines(value: JsonValue, indent: string): string {
  if (typeof value !== 'object' || value === null) return `${indent}${printable(String(value))}\n`
  const entries: readonly (readonly [string, JsonValue])[] = Array.isArray(value)
    ? (value as readonly JsonValue[]).map((item) => ['-', item] as const)
    : Object.entries(value)
  return entries
    .map(([name, item]) => {
      const label = name === '-' ? '-' : `${printable(name)}:`
      const nested = typeof item === 'object' && item !== null
      if (nested && Object.keys(item).length === 0) return `${indent}${label} none\n`
      return nested ? `${indent}${label}\n${lines(item, `${indent}  `)}` : `${indent}${label} ${printable(String(item))}\n`
    })
    .join('')
}
