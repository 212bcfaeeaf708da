/** How the body of a verb ended; the exit code and the report are made from this alone. */
import type { Outcome } from '@countersign/core/failure'
import type { JsonObject } from '@countersign/core/json/parse'
import { gravestOutcome } from '../failure/exit-code.ts'
import { type FailureText, hintLine } from '../failure/message.ts'
import { outcomeOf } from '@countersign/core/failure'
import { standingOf } from './items.ts'
import type { FailureReport, PolicyReport, SubjectReport, TimingsReport } from './schema.ts'

/** What a body gives back. */
export type Conclusion = {
  readonly subjects: readonly SubjectReport[]
  readonly policy?: PolicyReport
  /** `--fail-on warn`: what a policy warns of is refused as what it denies. */
  readonly failOnWarn?: boolean
  readonly timings?: Omit<TimingsReport, 'totalMs'>
  /** What the report says beside its own members, of the run as a whole. */
  readonly fields?: JsonObject
  /** The body wrote its own report on stdout, where that was asked for; a failure is reported all the same. */
  readonly reported?: true
}

/** A failure as the report writes it. */
export function failureReport(failure: FailureText): FailureReport {
  return {
    code: failure.code,
    outcome: outcomeOf(failure.code),
    detail: failure.detail,
    ...(failure.expected === undefined ? {} : { expected: failure.expected }),
    ...(failure.found === undefined ? {} : { found: failure.found }),
    hint: hintLine(failure),
  }
}

/** The outcome of a run: `ok`, or the gravest failure of its subjects. */
export function conclusionOutcome(conclusion: Conclusion): 'ok' | Outcome {
  const failures = conclusion.subjects.flatMap((subject) => (subject.failure === undefined ? [] : [subject.failure.outcome]))
  const warned = conclusion.failOnWarn === true && conclusion.subjects.some((subject) => standingOf(subject) === 'warned')
  return gravestOutcome(warned ? [...failures, 'denied'] : failures) ?? 'ok'
}
