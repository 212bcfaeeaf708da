/** `--predicate`, `--type` and `--statement` as what is to be attested. */
import { CountersignError } from '@countersign/core/failure'
import { maxDocumentBytes } from '@countersign/core/json/parse'
import { predicateTypeOf, wrapPredicate } from '@countersign/core/predicate/types'
import { parseStatement, type Statement } from '@countersign/core/statement/statement'
import type { StatementSource } from '@countersign/sdk/sign/requests'
import type { FlagValues } from '../command/flag-values.ts'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import { readInput } from '../terminal/input.ts'

const maxBytes = maxDocumentBytes

/** Reads the predicate or the statement. Throws `usage` when there is neither or both. */
export async function statementSource({ flags, terminal }: Invocation): Promise<StatementSource> {
  const statement = flags.text('statement')
  const predicate = flags.text('predicate')
  if (statement !== undefined && predicate !== undefined) {
    throw new CountersignError('usage', '--statement and --predicate contradict each other', { hint: 'Give one of them.' })
  }
  if (statement !== undefined) return readStatement(flags, statement)
  if (predicate === undefined) {
    throw new CountersignError('usage', 'it is not said what to attest', {
      hint: 'Give --predicate FILE with --type, or --statement FILE.',
    })
  }
  // SOURCE_DATE_EPOCH (reproducible-builds.org) lets a build that is repeated give the same statement.
  const epoch = terminal.environment['SOURCE_DATE_EPOCH']
  const timeMs = epoch !== undefined && /^[0-9]{1,11}$/.test(epoch) ? Number(epoch) * 1000 : terminal.nowMs
  const now = new Date(timeMs).toISOString().replace(/\.[0-9]{3}Z$/, 'Z')
  const bytes = await readInput(predicate, maxBytes)
  return { kind: 'predicate', ...(await inFile(predicate, () => wrapPredicate(flags.text('type') ?? 'custom', bytes, now))) }
}

/** A statement of one's own that is wrong is a mistake; the parser's codes are for what came from elsewhere and speak of tampering. */
async function readStatement(flags: FlagValues, path: string): Promise<StatementSource> {
  const bytes = await readInput(path, maxBytes)
  let statement: Statement
  try {
    statement = parseStatement(bytes)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('predicate_malformed', `${path} is no in-toto statement: ${cause.message}`, {
      cause,
      hint: 'Give a whole statement, or the predicate alone with --predicate and --type.',
    })
  }
  const type = flags.source('type') === 'flag' ? flags.text('type') : undefined
  if (type !== undefined && predicateTypeOf(type) !== statement.predicateType) {
    throw new CountersignError('usage', '--type and --statement contradict each other', {
      expected: type,
      found: statement.predicateType,
      hint: 'Leave --type out: the statement says its type itself.',
    })
  }
  return { kind: 'statement', statement: bytes }
}

/** That a statement of one's own names another artifact is a mistake too: nothing was altered. Anything else stays what it is. */
export function asMistake(thrown: unknown, source: StatementSource): unknown {
  if (source.kind !== 'statement' || !(thrown instanceof CountersignError) || thrown.code !== 'subject_mismatch') return thrown
  const { message, expected, found } = thrown
  return new CountersignError('usage', message, {
    cause: thrown,
    ...(expected === undefined ? {} : { expected }),
    ...(found === undefined ? {} : { found }),
    hint: 'Name its digest among the subjects of the statement, or attest with --predicate and --type.',
  })
}
