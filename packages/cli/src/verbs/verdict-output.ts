/** A verdict for people and for the report; of an image or a file. */
import { CountersignError } from '@countersign/core/failure'
import type { JsonValue } from '@countersign/core/json/parse'
import type { Verdict } from '@countersign/core/policy/verdict'
import type { Evidence, Refusal } from '@countersign/core/verify/evidence'
import type { SignatureOrigin } from '@countersign/sdk/verify/requests'
import type { Invocation } from '../command/invocation.ts'
import { failureMessage, failureText, printable } from '../failure/message.ts'
import { failureReport } from '../report/conclusion.ts'
import { acceptedReport, rejectedReport } from '../report/evidence.ts'
import { failedSubject } from '../report/failed-subject.ts'
import type { SubjectReport } from '../report/schema.ts'

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
  if (verdict?.decision === 'warn') terminal.warn(`WARNING: ${subject}: ${verdict.detail}`)
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
    // The verdict is data throughout: what is written is what it is.
    ...(verdict === undefined ? {} : { content: { verdict: verdict as unknown as JsonValue } }),
    unreadable: result.unreadable.map((error) => failureReport(failureText(error))),
    ...(failure === undefined ? {} : { failure: failureReport(failure) }),
  }
}

/** The reason tree, a line for each thing that was demanded and each signature that was looked at. */
export function verdictText(subject: string, verdict: Verdict): string {
  const lines = [`${subject}: ${verdict.decision} (policy ${verdict.policy})`]
  for (const { list, decision, detail } of verdict.revocations) lines.push(`  revocations ${list}: ${decision}: ${detail}`)
  for (const rule of verdict.rules) {
    lines.push(`  ${rule.rule}: ${rule.outcome.replaceAll('_', ' ')}: ${rule.detail}`)
    if (rule.wanted !== undefined) lines.push(`    wanted: ${rule.wanted}`)
    for (const item of rule.looked) {
      const as = item.identities.length === 0 ? '' : ` as ${item.identities.join(', ')}`
      lines.push(`    ${item.signer}: ${item.status.replaceAll('_', ' ')}${as}${item.detail === undefined ? '' : `: ${item.detail}`}`)
    }
  }
  return `${lines.map(printable).join('\n')}\n`
}
