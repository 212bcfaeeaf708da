/** `countersign verify` and `countersign verify-attestation`. */
import { CountersignError } from '@countersign/core/failure'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { ContentDemand } from '@countersign/core/verify/policy'
import { createRegistryRun, type RegistryRun } from '@countersign/sdk/open-repository'
import { gate } from '@countersign/sdk/discover/bounded'
import { openImageRepositories } from '@countersign/sdk/sign/repositories'
import { nameWarning } from '@countersign/sdk/verify/bound-name'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import type { ImageVerification } from '@countersign/sdk/verify/requests'
import type { Invocation } from '../command/invocation.ts'
import { maxWorkers, signatureRepository, verifyingConnection, typedImage } from '../connection.ts'
import { namesNobody } from '../demands/accepting.ts'
import { annotationsFromFlags, contentWord, type Demands, demandsFromFlags } from '../demands/policy.ts'
import { attestationDemand } from '../demands/predicate-type.ts'
import { asFailure, causeChain, failureMessage, failureText } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { acceptedReport, rejectedReport } from '../report/evidence.ts'
import { headline, othersLine } from '../report/headline.ts'
import type { SubjectReport } from '../report/schema.ts'
import { beginProgress } from '../terminal/progress.ts'
import { type OutputForm, printReadable, printVerification } from './verify-output.ts'

/** Verifies signatures. */
export async function verifyImages(invocation: Invocation): Promise<Conclusion> {
  if (isBatch(invocation)) return verifyMany(invocation, signatureContent(invocation))
  const file = invocation.flags.text('policy')
  if (file !== undefined) return (await import('./verify-policy.ts')).verifyImagesByPolicy(invocation, file)
  const content = signatureContent(invocation)
  if (!['signature', 'payload', 'certificate'].some((name) => invocation.flags.text(name) !== undefined))
    return verifyAll(invocation, content)
  const { verifyDetached } = await import('./verify-detached.ts')
  return verifyDetached(invocation, content)
}

/** Verifies attestations. */
export async function verifyImageAttestations(invocation: Invocation): Promise<Conclusion> {
  if (isBatch(invocation)) return verifyMany(invocation, attestationDemand(invocation.flags))
  const file = invocation.flags.text('policy')
  if (file !== undefined) return (await import('./verify-policy.ts')).verifyImagesByPolicy(invocation, file)
  if (invocation.flags.list('annotations').length > 0) invocation.terminal.warn('--annotations has no effect: attestations have none')
  return verifyAll(invocation, attestationDemand(invocation.flags))
}

function signatureContent({ flags }: Invocation): ContentDemand {
  const annotations = annotationsFromFlags(flags.list('annotations'))
  return { kind: 'signature', ...(annotations.size === 0 ? {} : { annotations }) }
}

/** What lists artifacts, or makes several of one. */
function isBatch({ flags }: Invocation): boolean {
  return flags.list('file').length > 0 || flags.boolean('recursive', false) || flags.list('platform').length > 0
}

async function verifyMany(invocation: Invocation, content: ContentDemand): Promise<Conclusion> {
  const beside = ['signature', 'payload', 'certificate'].find((name) => invocation.flags.text(name) !== undefined)
  if (beside !== undefined)
    throw new CountersignError('usage', `--${beside} belongs to one image`, { hint: 'Name it in a batch manifest, beside its image.' })
  const run = await import('../batch/run.ts')
  return run.verifyMany(invocation, {
    kind: 'container',
    form: 'lines',
    content,
    of: 'image',
  })
}

async function verifyAll(invocation: Invocation, content: ContentDemand): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  if (namesNobody(flags)) return (await import('./who-signed.ts')).showImageSigners(invocation, content)
  const form = outputForm(invocation)
  const demands = await demandsFromFlags(invocation, content, 'image')
  const images = subjects.map((subject) => ({
    subject,
    image: typedImage(flags, subject),
  }))
  const connection = verifyingConnection(invocation, images.length)
  const run = createRegistryRun(connection)
  const progress = beginProgress(terminal, 'verifying', images.length, 'images')
  const through = gate(maxWorkers(flags))
  const results = await Promise.all(
    images.map(async ({ subject, image }) => {
      const result = await settled(subject, () =>
        through(() => verifyOne(run, invocation, image, { ...demands, timeLimitMs: connection.deadlineMs })),
      )
      progress.advance(1)
      return result
    }),
  )
  progress.end()
  run.close()
  const reports: SubjectReport[] = []
  // On a terminal the reports come first and the errors last, where they are looked for.
  const errors: string[] = []
  const say = form === 'readable' ? (text: string): void => void errors.push(text) : terminal.err
  for (const result of results) reports.push(await concludeImage(invocation, result, { demands, form, say }))
  if (form === 'readable' && !invocation.reportOnStdout) {
    const { policyText } = await import('../report/text.ts')
    terminal.err(policyText(demands.report))
  }
  for (const text of errors) terminal.err(text)
  return { subjects: reports, policy: demands.report }
}

/** All images of a run share connections, tokens and what was read. */
async function verifyOne(
  run: RegistryRun,
  { flags, terminal }: Invocation,
  image: ImageReference,
  { policy, trustedRoot, timeLimitMs }: Demands & { readonly timeLimitMs: number | undefined },
): Promise<ImageVerification> {
  const repositories = await openImageRepositories(run, { image, ...signatureRepository(flags) })
  const checkName = flags.boolean('check-name', false)
  const given = { ...(trustedRoot === undefined ? {} : { trustedRoot }), ...(timeLimitMs === undefined ? {} : { timeLimitMs }) }
  const verification = await verifyImageIn(repositories, { image, policy, ...given, checkName, nowMs: terminal.nowMs })
  const warnings = verification.accepted.map(({ evidence }) => nameWarning(evidence, image))
  // One that is meant for this name is enough; where there is none, a person should know.
  const [first] = warnings
  if (first !== undefined && !warnings.includes(undefined)) terminal.warn(`WARNING: ${verification.image}: ${first}`)
  return verification
}

/** How the result is printed: for people on a terminal, else as cosign does. */
function outputForm({ flags, terminal }: Invocation): OutputForm {
  const asked = flags.text('output')
  if (asked === undefined) return terminal.outIsTerminal ? 'readable' : 'json'
  if (asked === 'json' || asked === 'text') return asked
  throw new CountersignError('usage', '--output names no form', { expected: 'json or text', found: asked.slice(0, 40) })
}

type Settled = { readonly subject: string; readonly verification?: ImageVerification; readonly thrown?: CountersignError }

async function settled(subject: string, work: () => Promise<ImageVerification>): Promise<Settled> {
  try {
    return { subject, verification: await work() }
  } catch (thrown) {
    return { subject, thrown: asFailure(thrown) }
  }
}

type Printing = { readonly demands: Demands; readonly form: OutputForm; readonly say: (text: string) => void }

async function concludeImage(invocation: Invocation, result: Settled, { demands, form, say }: Printing): Promise<SubjectReport> {
  const { terminal, verbose } = invocation
  const { subject, verification } = result
  const failure = result.thrown === undefined ? verification && headline(verification) : failureText(result.thrown)
  const report: SubjectReport = {
    subject,
    ok: verification?.ok === true,
    ...(verification?.reference === undefined ? {} : { reference: verification.reference }),
    ...(verification?.digest === undefined ? {} : { digest: verification.digest }),
    signatures: [
      ...(verification?.accepted ?? []).map((accepted) => acceptedReport(accepted.evidence, accepted.origin)),
      ...(verification?.rejected ?? []).map((rejected) => rejectedReport(rejected.refusal, rejected.origin)),
    ],
    unreadable: (verification?.unreadable ?? []).map((error) => failureReport(failureText(error))),
    ...(failure === undefined ? {} : { failure: failureReport(failure) }),
  }
  if (form === 'readable') await printReadable(invocation, report)
  else if (verification?.ok === true) printVerification(invocation, subject, verification, demands, form)
  if (failure !== undefined) {
    say(failureMessage(failure, subject))
    if (form !== 'readable' && !invocation.reportOnStdout && verification !== undefined)
      say(othersLine(verification, contentWord(demands.policy.content)))
  } else
    for (const error of verification?.unreadable ?? []) terminal.warn(`WARNING: ${subject}: not everything could be read: ${error.message}`)
  if (verbose) say([result.thrown, ...(verification?.unreadable ?? [])].map(causeChain).join(''))
  return report
}
