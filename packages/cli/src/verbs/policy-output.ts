/** Policies that a verb writes: never over a file that is there, and read again before anyone relies on them. */
import { CountersignError } from '@countersign/core/failure'
import type { PublicKey } from '@countersign/core/keys/public-key'
import { lintPolicy } from '@countersign/core/policy/lint'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { openPolicy } from '@countersign/sdk/policy/source'
import type { Invocation } from '../command/invocation.ts'
import { printable } from '../failure/message.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { fileExists } from '../terminal/input.ts'
import { writeWhole } from '../terminal/output-file.ts'

/** Where a text goes when `--out` says nothing: a file, or stdout. */
export type OutputPlace = { readonly what: string; readonly fallback?: string }

/** Reads a policy that was just made and says what lint finds in it. Throws when it does not read: what made it is wrong. */
export async function checkWritten({ flags, terminal }: Invocation, text: string, keys?: ReadonlyMap<string, PublicKey>): Promise<void> {
  const { policy, placeOf } = await openPolicy(text, flags.text('out') ?? 'policy', {
    primitives: nodePrimitives,
    ...(keys === undefined ? {} : { keys }),
  })
  for (const { finding, path, detail } of lintPolicy(policy, terminal.nowMs)) {
    terminal.warn(printable(`WARNING: ${placeOf(path)}: ${finding}: ${path}: ${detail}`))
  }
}

/** Checks a policy and writes it. Throws `file_exists` without `--force`. */
export async function writePolicy(invocation: Invocation, text: string, place: OutputPlace): Promise<Conclusion> {
  await checkWritten(invocation, text)
  return writeText(invocation, text, place)
}

/** Writes a text to `--out`, or to where it goes by default. Throws `file_exists` without `--force`. */
export async function writeText(invocation: Invocation, text: string, { what, fallback }: OutputPlace): Promise<Conclusion> {
  const { flags, terminal } = invocation
  const path = flags.text('out') ?? fallback ?? '-'
  if (path === '-') {
    terminal.out(text)
    return { subjects: [{ subject: what, ok: true }] }
  }
  if (!flags.boolean('force', false) && (await fileExists(path))) {
    throw new CountersignError('file_exists', `${path} is there already`, {
      hint: 'Name another file with --out, or write over it with --force.',
    })
  }
  await writeWhole(path, text)
  terminal.err(`Wrote the ${what} to ${printable(path)}\n`)
  return { subjects: [{ subject: path, ok: true, files: [path] }] }
}
