/** `--fail-on`: whether a warning of a policy ends the run as a refusal. */
import { CountersignError } from '@countersign/core/failure'
import type { FlagValues } from '../command/flag-values.ts'

/** What goes into the conclusion. Throws `usage` on another word. */
export function failOnWarn(flags: FlagValues): { readonly failOnWarn?: true } {
  const word = flags.text('fail-on') ?? 'deny'
  if (word === 'warn') return { failOnWarn: true }
  if (word === 'deny') return {}
  throw new CountersignError('usage', '--fail-on names no verdict', { expected: 'warn or deny', found: word.slice(0, 40) })
}
