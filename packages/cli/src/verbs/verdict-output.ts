/** A verdict for people and for the report; of an image or a file. */
import { CountersignError } from '@countersign/core/failure'
import type { Verdict } from '@countersign/core/policy/verdict'
import type { Evidence, Refusal } from '@countersign/core/verify/evidence'
import type { SignatureOrigin } from '@countersign/sdk/verify/requests'
import type { Invocation } from '../command/invocation.ts'
import { failureMessage, failureText, printable } from '../failure/message.ts'
import { annotate } from '../report/annotation.ts'
import { failureReport } from '../report/conclusion.ts'
import { acceptedReport, rejectedReport } from '../report/evidence.ts'
import { failedSubject } from '../report/failed-subject.ts'
import type { SubjectReport } from '../report/schema.ts'
import { verdictContent, verdictTree } from '../report/verdict.ts'

/** What judging gave, of whichever kind of artifact; a file's evidence has a name in place of an origin. */
type Judged = {
  readonly ok: boolean
  readonly reference?: string
  readonly digest?: string
  readonly accepted: readonly { readonly origin: SignatureOrigin | string; readonly evidence: Evidence }[]
  readonly rejected: readonly { readonly origin: SignatureOrigin | string; readonly refusal: Refusal }[]
  readonly unreadable: readonly CountersignError[]
  readonly verdict?: Verdict
  readonly failure?: Refusal
}

/** Prints the reason tree on stdout, warnings and refusal on stderr, and gives the entry of the report. */
export function concludeVerdict(invocation: Invocation, subject: string, result: Judged | CountersignError): SubjectReport {
  if (result instanceof CountersignError) return failedSubject(invocation, subject, result, subject)
  const { terminal, reportOnStdout } = invocation
  const { verdict, failure } = result
  if (verdict !== undefined && !reportOnStdout) terminal.out(verdictText(subject, verdict))
  if (verdict?.decision === 'warn') {
    terminal.warn(`WARNING: ${subject}: ${verdict.detail}`)
    annotate(terminal, 'warning', `${subject}: ${verdict.detail}`, undefined)
  }
  if (failure !== undefined) terminal.err(failureMessage(failure, subject))
  return {
    subject,
    ok: result.ok,
    ...(result.reference === undefined ? {} : { reference: result.reference }),
    ...(result.digest === undefined ? {} : { digest: result.digest }),
    signatures: [
      ...result.accepted.map(({ evidence, origin }) => acceptedReport(evidence, typeof origin === 'string' ? undefined : origin)),
      ...result.rejected.map(({ refusal, origin }) => rejectedReport(refusal, typeof origin === 'string' ? undefined : origin)),
    ],
    ...(verdict === undefined ? {} : { verdict: verdict.decision, content: verdictContent(verdict) }),
    unreadable: result.unreadable.map((error) => failureReport(failureText(error))),
    ...(failure === undefined ? {} : { failure: failureReport(failure) }),
  }
}

/** The reason tree under its headline. */
export function verdictText(subject: string, verdict: Verdict): string {
  const head = `${subject}: ${verdict.decision} (policy ${verdict.policy})`
  return `${[printable(head), ...verdictTree(verdict).map((line) => `  ${line}`)].join('\n')}\n`
}
