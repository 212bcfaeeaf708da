/** How the body of a verb ended; the exit code and the report are made from this alone. */
import type { Outcome } from '@countersign/core/failure'
import { gravestOutcome } from '../failure/exit-code.ts'
import { type FailureText, hintLine } from '../failure/message.ts'
import { outcomeOf } from '@countersign/core/failure'
import type { FailureReport, PolicyReport, SubjectReport } from './schema.ts'

/** What a body gives back. */
export type Conclusion = {
  readonly subjects: readonly SubjectReport[]
  readonly policy?: PolicyReport
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
  return gravestOutcome(failures) ?? 'ok'
}
