/** `--predicate`, `--type` and `--statement` as what is to be attested. */
import { CountersignError } from '@countersign/core/failure'
import { wrapPredicate } from '@countersign/core/predicate/types'
import type { StatementSource } from '@countersign/sdk/sign/requests'
import type { Invocation } from '../command/invocation.ts'
import { readInput } from '../terminal/input.ts'

const maxBytes = 128 * 1024 * 1024

/** Reads the predicate or the statement. Throws `usage` when there is neither or both. */
export async function statementSource({ flags, terminal }: Invocation): Promise<StatementSource> {
  const statement = flags.text('statement')
  const predicate = flags.text('predicate')
  if (statement !== undefined && predicate !== undefined) {
    throw new CountersignError('usage', '--statement and --predicate contradict each other', { hint: 'Give one of them.' })
  }
  if (statement !== undefined) return { kind: 'statement', statement: await readInput(statement, maxBytes) }
  if (predicate === undefined) {
    throw new CountersignError('usage', 'it is not said what to attest', {
      hint: 'Give --predicate FILE with --type, or --statement FILE.',
    })
  }
  // SOURCE_DATE_EPOCH (reproducible-builds.org) lets a build that is repeated give the same statement.
  const epoch = terminal.environment['SOURCE_DATE_EPOCH']
  const timeMs = epoch !== undefined && /^[0-9]{1,11}$/.test(epoch) ? Number(epoch) * 1000 : terminal.nowMs
  const now = new Date(timeMs).toISOString().replace(/\.[0-9]{3}Z$/, 'Z')
  return { kind: 'predicate', ...wrapPredicate(flags.text('type') ?? 'custom', await readInput(predicate, maxBytes), now) }
}
