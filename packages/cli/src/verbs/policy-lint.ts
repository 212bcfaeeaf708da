/** `countersign policy lint`. */
import { CountersignError } from '@countersign/core/failure'
import { lintPolicy } from '@countersign/core/policy/lint'
import type { Invocation } from '../command/invocation.ts'
import { openPolicyFile } from '../demands/policy-file.ts'
import { asFailure, failureMessage, failureText, printable } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import type { SubjectReport } from '../report/schema.ts'

/** Checks all files; what is found in one does not stop the others. */
export async function lintPolicies(invocation: Invocation): Promise<Conclusion> {
  const subjects: SubjectReport[] = []
  for (const subject of invocation.subjects) subjects.push(await lintOne(invocation, subject))
  return { subjects }
}

async function lintOne(invocation: Invocation, subject: string): Promise<SubjectReport> {
  const { terminal, reportOnStdout } = invocation
  try {
    const { policy, lineOf } = await openPolicyFile(invocation, subject)
    const findings = lintPolicy(policy, terminal.nowMs).map((finding) => ({ ...finding, file: subject, ...lineOf(finding.path) }))
    if (!reportOnStdout) {
      for (const { file, line, column, finding, path, detail } of findings)
        terminal.out(`${printable(`${file}:${line}:${column}: ${finding}: ${path}: ${detail}`)}\n`)
      if (findings.length === 0) terminal.out(`${printable(subject)}: nothing suspicious\n`)
    }
    const content = { rules: policy.rules.length }
    if (findings.length === 0) return { subject, ok: true, content, findings }
    const failure = new CountersignError(
      'policy_suspicious',
      `${subject}: ${findings.length === 1 ? 'one thing is' : `${findings.length} things are`} suspicious`,
    )
    terminal.err(failureMessage(failureText(failure), subject))
    return { subject, ok: false, content, findings, failure: failureReport(failureText(failure)) }
  } catch (thrown) {
    const failure = failureText(asFailure(thrown))
    terminal.err(failureMessage(failure, subject))
    const place = /:([0-9]+):([0-9]+): /.exec(failure.detail.startsWith(subject) ? failure.detail.slice(subject.length) : '')
    const location = place === null ? {} : { location: { file: subject, line: Number(place[1]), column: Number(place[2]) } }
    return { subject, ok: false, ...location, failure: failureReport(failure) }
  }
}
