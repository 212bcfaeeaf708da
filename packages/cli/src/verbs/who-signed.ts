/** Keyless verification without an identity is refused; what is shown in its place is who signed, proven, and how to accept them. */
import { CountersignError } from '@countersign/core/failure'
import type { Evidence, Refusal, Verification } from '@countersign/core/verify/evidence'
import type { ContentDemand } from '@countersign/core/verify/policy'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { openImageRepositories } from '@countersign/sdk/sign/repositories'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags, signatureRepository, typedImage } from '../connection.ts'
import { acceptingLines } from '../demands/accepting.ts'
import { type Demands, demandsFromFlags, type VerifiedThing } from '../demands/policy.ts'
import { signerFromFlags } from '../demands/signers.ts'
import { asFailure, failureLine, failureMessage, failureText, printable } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { acceptedReport } from '../report/evidence.ts'
import type { SubjectReport } from '../report/schema.ts'

/** What one subject showed: proven signers, and why others are not. */
export type Shown = {
  readonly digest?: string
  readonly proven: readonly Evidence[]
  readonly refused: readonly Pick<Refusal, 'code' | 'detail'>[]
}

/** To show all of a thousand images takes long and helps nobody. */
const maxSubjects = 5
const maxSigners = 20

/** Images of a registry or layout. */
export function showImageSigners(invocation: Invocation, content: ContentDemand): Promise<Conclusion> {
  const { flags, terminal } = invocation
  return showSigners(invocation, content, 'image', async (subject, demands) => {
    const image = typedImage(flags, subject)
    const run = createRegistryRun(connectionFromFlags(invocation))
    try {
      const repositories = await openImageRepositories(run, { image, ...signatureRepository(flags) })
      const { policy, trustedRoot } = demands
      const trust = trustedRoot === undefined ? {} : { trustedRoot }
      const result = await verifyImageIn(repositories, { image, policy, ...trust, nowMs: terminal.nowMs })
      const refused = [...result.rejected.map(({ refusal }) => refusal), ...(result.failure === undefined ? [] : [result.failure])]
      return {
        ...(result.digest === undefined ? {} : { digest: result.digest }),
        proven: result.accepted.map(({ evidence }) => evidence),
        refused,
      }
    } finally {
      run.close()
    }
  })
}

/** One signature as what it showed. */
export function shownBy(verification: Verification): Shown {
  return verification.ok ? { proven: [verification.evidence], refused: [] } : { proven: [], refused: [verification] }
}

/** Shows them, and refuses: nothing here can end as verified. Without a trusted root nothing can be proven, and nothing is shown. */
export async function showSigners(
  invocation: Invocation,
  content: ContentDemand,
  of: VerifiedThing,
  look: (subject: string, demands: Demands) => Promise<Shown>,
): Promise<Conclusion> {
  const { subjects, terminal } = invocation
  const refusal = await nobodyNamed(invocation)
  const signer = { kind: 'any_certified_signer_UNSAFE', reason: 'to show who signed; the run is refused' } as const
  const demands = await demandsFromFlags(invocation, content, of, { signer }).catch((thrown: unknown) => asFailure(thrown))
  if (demands instanceof CountersignError) throw refusal
  const reports: SubjectReport[] = []
  for (const [at, subject] of subjects.entries()) {
    const failure = failureReport(failureText(refusal))
    const shown = at < maxSubjects ? await look(subject, demands).catch((thrown: unknown) => asFailure(thrown)) : undefined
    if (shown === undefined) reports.push({ subject, ok: false, failure })
    else if (shown instanceof CountersignError) {
      terminal.err(failureMessage(failureText(shown), subject))
      reports.push({ subject, ok: false, failure: failureReport(failureText(shown)) })
    } else {
      terminal.err(signersText(subject, shown))
      const signatures = shown.proven.map((evidence) => ({ ...acceptedReport(evidence), accepted: false, failure }))
      reports.push({ subject, ok: false, ...(shown.digest === undefined ? {} : { digest: shown.digest }), signatures, failure })
    }
  }
  terminal.err(failureMessage(failureText(refusal)))
  return { subjects: reports, policy: demands.report }
}

/** The refusal that reading the flags gives. */
async function nobodyNamed(invocation: Invocation): Promise<CountersignError> {
  try {
    await signerFromFlags(invocation)
  } catch (thrown) {
    return asFailure(thrown)
  }
  return new CountersignError('usage', 'it is not said who may have signed')
}

function signersText(subject: string, { proven, refused }: Shown): string {
  const signers = new Map(proven.map((evidence) => acceptingLines(evidence)).map((lines) => [lines.join('\n'), lines]))
  const shown = [...signers.values()].slice(0, maxSigners)
  const lines = [
    `${printable(subject)} is signed by ${shown.length === 0 ? 'nobody that the trusted root proves' : 'these, who are not accepted yet:'}`,
  ]
  for (const signer of shown) lines.push(...signer.map((line) => `  ${line}`))
  if (signers.size > maxSigners) lines.push(`  and ${signers.size - maxSigners} more`)
  const why = refused[0]
  if (shown.length === 0 && why !== undefined)
    lines.push(`  ${failureLine({ ...why, expected: undefined, found: undefined, hint: undefined })}`)
  return `${lines.join('\n')}\n`
}
