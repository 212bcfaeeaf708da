/** What becomes of an image or file that failed while others go on: a message, and its entry of the report. */
import type { Invocation } from '../command/invocation.ts'
import { asFailure, causeChain, failureMessage, failureText } from '../failure/message.ts'
import { failureReport } from './conclusion.ts'
import type { SubjectReport } from './schema.ts'

/** Says on stderr why a subject failed, naming it as `named`, and with `--verbose` the causes. */
export function failedSubject({ terminal, verbose }: Invocation, subject: string, thrown: unknown, named?: string): SubjectReport {
  const failure = asFailure(thrown)
  terminal.err(failureMessage(failureText(failure), named))
  if (verbose) terminal.err(causeChain(failure))
  return { subject, ok: false, failure: failureReport(failureText(failure)) }
}
