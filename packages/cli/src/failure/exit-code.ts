/** Exit codes of the command: each outcome has one, and of several outcomes the gravest decides. */
import { gravity, type Outcome } from '@countersign/core/failure'

const codes: Readonly<Record<Outcome, number>> = {
  failed: 1,
  usage: 2,
  unsigned: 10,
  not_found: 11,
  unacceptable: 12,
  denied: 13,
  unknown: 14,
  altered: 15,
}

/** The exit code of one outcome. */
export function exitCodeOf(outcome: Outcome): number {
  return codes[outcome]
}

/** The gravest of several outcomes; `undefined` when there are none. */
export function gravestOutcome(outcomes: readonly Outcome[]): Outcome | undefined {
  return gravity.find((outcome) => outcomes.includes(outcome))
}
