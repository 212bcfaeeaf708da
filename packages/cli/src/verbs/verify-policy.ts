/** `countersign verify --policy FILE`: each image has a verdict, with what was looked at and why. */
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import type { JsonValue } from '@countersign/core/json/parse'
import { needsTrustedTime } from '@countersign/core/policy/demands'
import type { Verdict } from '@countersign/core/policy/verdict'
import { gate } from '@countersign/sdk/discover/bounded'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { openImageRepositories } from '@countersign/sdk/sign/repositories'
import { judgeImageIn, type ImageVerdict } from '@countersign/sdk/verify/by-policy'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags, signatureRepository } from '../connection.ts'
import { policyFromFlags, type PolicyFile } from '../demands/policy-file.ts'
import { asFailure, failureMessage, failureText, printable } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { acceptedReport, rejectedReport } from '../report/evidence.ts'
import type { SubjectReport } from '../report/schema.ts'
import { selectTrust } from '../trust/select.ts'

/** Judges all images; never stops at the first that is denied. */
export async function verifyImagesByPolicy(invocation: Invocation, path: string): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const file = await policyFromFlags(invocation, path)
  const keyed = file.policy.rules.every(({ identities }) => identities.every(({ keys }) => keys.length > 0))
  const trust = await selectTrust(invocation, keyed)
  if (trust === undefined && needsTrustedTime(file.policy)) {
    throw new CountersignError(
      'trust_missing',
      `policy ${file.policy.policy.name} demands trusted times or log entries, and no trusted root was given`,
      {
        hint: 'Name the trusted root that holds the keys of log and timestamp authority: --trusted-root FILE.',
      },
    )
  }
  const run = createRegistryRun(connectionFromFlags(invocation))
  const through = gate(Number(flags.text('max-workers') ?? '10') || 10)
  const verdicts = await Promise.all(
    subjects.map((subject) =>
      through(async (): Promise<ImageVerdict | CountersignError> => {
        try {
          const image = parseReference(flags.boolean('local-image', false) ? `oci:${subject}` : subject)
          const repositories = await openImageRepositories(run, { image, ...signatureRepository(flags) })
          const root = trust === undefined ? {} : { trustedRoot: trust.root }
          return await judgeImageIn(repositories, { image, ...file, ...root, nowMs: terminal.nowMs })
        } catch (thrown) {
          return asFailure(thrown)
        }
      }),
    ),
  )
  run.close()
  const reports = verdicts.map((verdict, index) => conclude(invocation, subjects[index] ?? '', verdict))
  return { subjects: reports, policy: { ...policyReport(file), ...(trust === undefined ? {} : { trust: trust.report }) } }
}

function policyReport({ policy }: PolicyFile): NonNullable<Conclusion['policy']> {
  const byRule = 'as each rule says'
  return {
    signers: policy.identities.map(({ name }) => name),
    demands: { log: byRule, sct: 'required of certificates', signedTimestamp: byRule, claims: 'required' },
  }
}

function conclude({ terminal, reportOnStdout }: Invocation, subject: string, result: ImageVerdict | CountersignError): SubjectReport {
  if (result instanceof CountersignError) {
    terminal.err(failureMessage(failureText(result), subject))
    return { subject, ok: false, failure: failureReport(failureText(result)) }
  }
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
      ...result.accepted.map(({ evidence, origin }) => acceptedReport(evidence, origin)),
      ...result.rejected.map(({ refusal, origin }) => rejectedReport(refusal, origin)),
    ],
    // The verdict is data throughout: what is written is what it is.
    ...(verdict === undefined ? {} : { content: { verdict: verdict as unknown as JsonValue } }),
    unreadable: result.unreadable.map((error) => failureReport(failureText(error))),
    ...(failure === undefined ? {} : { failure: failureReport(failure) }),
  }
}

function verdictText(subject: string, verdict: Verdict): string {
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
