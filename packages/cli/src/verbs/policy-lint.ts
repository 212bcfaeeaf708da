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
    const { policy, placeOf } = await openPolicyFile(invocation, subject)
    const findings = lintPolicy(policy, terminal.nowMs).map((finding) => ({ place: placeOf(finding.path), ...finding }))
    if (!reportOnStdout) {
      for (const { place, finding, path, detail } of findings) terminal.out(`${printable(`${place}: ${finding}: ${path}: ${detail}`)}\n`)
      if (findings.length === 0) terminal.out(`${printable(subject)}: nothing suspicious\n`)
    }
    const content = { rules: policy.rules.length, findings }
    if (findings.length === 0) return { subject, ok: true, content }
    const failure = new CountersignError(
      'policy_suspicious',
      `${subject}: ${findings.length === 1 ? 'one thing is' : `${findings.length} things are`} suspicious`,
    )
    terminal.err(failureMessage(failureText(failure), subject))
    return { subject, ok: false, content, failure: failureReport(failureText(failure)) }
  } catch (thrown) {
    const failure = failureText(asFailure(thrown))
    terminal.err(failureMessage(failure, subject))
    return { subject, ok: false, failure: failureReport(failure) }
  }
}
