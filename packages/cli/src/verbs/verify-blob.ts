/** `countersign verify-blob` and `countersign verify-blob-attestation`. */
import { type Digest, parseDigest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Verification } from '@countersign/core/verify/evidence'
import type { ContentDemand } from '@countersign/core/verify/policy'
import { asAbsence, namingEvidence } from '@countersign/sdk/blob/absence'
import { verifyBlobAttestation } from '@countersign/sdk/blob/verify'
import type { FlagValues } from '../command/flag-values.ts'
import type { Invocation } from '../command/invocation.ts'
import { namesNobody } from '../demands/accepting.ts'
import { type BlobEvidence, readBlobEvidence } from '../demands/blob-evidence.ts'
import { type Demands, demandsFromFlags } from '../demands/policy.ts'
import { attestationDemand } from '../demands/predicate-type.ts'
import { failureMessage } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { failedSubject } from '../report/failed-subject.ts'
import { acceptedReport, rejectedReport } from '../report/evidence.ts'
import type { SubjectReport } from '../report/schema.ts'
import { blobSource, isFolder } from '../signing/blob-source.ts'

/** Verifies signatures of files. */
export async function verifyBlobs(invocation: Invocation): Promise<Conclusion> {
  if (await isBatch(invocation)) return verifyMany(invocation, { kind: 'signature' })
  const file = invocation.flags.text('policy')
  if (file !== undefined) return (await import('./verify-policy.ts')).verifyFilesByPolicy(invocation, file)
  return verifyAll(invocation, { kind: 'signature' }, undefined)
}

/** Verifies attestations of files, or of a digest. */
export async function verifyBlobAttestations(invocation: Invocation): Promise<Conclusion> {
  if (await isBatch(invocation)) return verifyMany(invocation, attestationDemand(invocation.flags))
  const digest = digestFromFlags(invocation)
  const file = invocation.flags.text('policy')
  if (file !== undefined) return (await import('./verify-policy.ts')).verifyFilesByPolicy(invocation, file, digest)
  return verifyAll(invocation, attestationDemand(invocation.flags), digest)
}

/** What lists files, a folder of them, or several: these go through one pool. Standard input and parts of signatures belong to a single file. */
async function isBatch({ flags, subjects }: Invocation): Promise<boolean> {
  if (flags.list('file').length > 0) return true
  const folders = await Promise.all(subjects.map(isFolder))
  if (folders.includes(true)) return true
  return subjects.length > 1 && !subjects.includes('-') && flags.text('policy') === undefined && detachedPart(flags) === undefined
}

function detachedPart(flags: FlagValues): string | undefined {
  return ['signature', 'certificate', 'rfc3161-timestamp', 'digest'].find((name) => flags.text(name) !== undefined)
}

async function verifyMany(invocation: Invocation, content: ContentDemand): Promise<Conclusion> {
  const { flags } = invocation
  const part = detachedPart(flags)
  if (part !== undefined)
    throw new CountersignError('usage', `--${part} belongs to one file`, { hint: 'Name it in a batch manifest, beside its file.' })
  const run = await import('../batch/run.ts')
  const form = flags.list('file').length > 0 || flags.text('policy') !== undefined ? 'lines' : 'files'
  return run.verifyMany(invocation, { kind: 'file', form, content, of: 'file' })
}

function digestFromFlags({ flags, subjects }: Invocation): Digest | undefined {
  const hex = flags.text('digest')
  const algorithm = flags.text('digestAlg')
  if (hex === undefined) {
    const waived = !flags.boolean('check-claims', true)
    if (subjects.length > 0 || waived) return undefined
    throw new CountersignError('usage', 'neither a file nor its digest was given', {
      hint: 'Name the file, or give --digest and --digestAlg.',
    })
  }
  if (subjects.length > 0)
    throw new CountersignError('usage', '--digest stands in place of the file', { hint: 'Give the one or the other.' })
  const digest = parseDigest(hex.includes(':') ? hex : `${algorithm ?? 'sha256'}:${hex}`)
  if (digest !== undefined) return digest
  throw new CountersignError('digest_malformed', '--digest and --digestAlg are no digest', {
    found: JSON.stringify(`${algorithm ?? 'sha256'}:${hex}`.slice(0, 160)),
  })
}

async function verifyAll(invocation: Invocation, content: ContentDemand, digest: Digest | undefined): Promise<Conclusion> {
  const { flags, subjects } = invocation
  if (namesNobody(flags) && subjects.length === 1) return showSignersOfFile(invocation, content)
  const demands = await demandsFromFlags(invocation, content, 'file')
  const bundles = flags.list('bundle')
  if (bundles.length > 1 && bundles.length !== subjects.length) {
    throw new CountersignError('usage', 'there are not as many bundles as files', {
      expected: `${subjects.length} --bundle`,
      found: `${bundles.length}`,
    })
  }
  if (subjects.filter((subject) => subject === '-').length > 1)
    throw new CountersignError('usage', 'stdin can be read once only', { hint: 'Give - once.' })
  const names = subjects.length === 0 ? [digest ?? 'attestation'] : subjects
  const reports: SubjectReport[] = []
  for (const [at, subject] of names.entries()) {
    const beside = bundles.length > 1 ? bundles[at] : bundles[0]
    const artifact = subjects.length === 0 ? digest : subject
    reports.push(await verifyOne(invocation, subject, { artifact, bundle: beside, given: subjects.length > 0 }, demands))
  }
  return { subjects: reports, policy: demands.report }
}

async function showSignersOfFile(invocation: Invocation, content: ContentDemand): Promise<Conclusion> {
  const { showSigners, shownBy } = await import('./who-signed.ts')
  const bundle = invocation.flags.list('bundle')[0]
  return showSigners(invocation, content, 'file', async (subject, demands) => {
    const beside = await readBlobEvidence(invocation, subject, bundle)
    return shownBy(await judge(invocation, { artifact: subject, bundle, given: true }, beside, demands))
  })
}

type Task = { readonly artifact: string | undefined; readonly bundle: string | undefined; readonly given: boolean }

async function verifyOne(invocation: Invocation, subject: string, task: Task, demands: Demands): Promise<SubjectReport> {
  const { subjects, terminal } = invocation
  const several = subjects.length > 1 ? subject : undefined
  try {
    const evidence = await readBlobEvidence(invocation, task.given ? subject : undefined, task.bundle)
    const verification = namingEvidence(asAbsence(await judge(invocation, task, evidence, demands), demands.policy.content), evidence.name)
    if (verification.ok) {
      terminal.err(several === undefined ? 'Verified OK\n' : `${subject}: Verified OK\n`)
      const { artifact } = verification.evidence
      return {
        subject,
        ok: true,
        ...(artifact === undefined ? {} : { digest: artifact }),
        signatures: [acceptedReport(verification.evidence)],
      }
    }
    terminal.err(failureMessage(verification, several))
    return { subject, ok: false, signatures: [rejectedReport(verification)], failure: failureReport(verification) }
  } catch (thrown) {
    return failedSubject(invocation, subject, thrown, several)
  }
}

async function judge({ terminal }: Invocation, task: Task, beside: BlobEvidence, demands: Demands): Promise<Verification> {
  const { policy, trustedRoot } = demands
  const request = { ...beside.parts, policy, nowMs: terminal.nowMs, ...(trustedRoot === undefined ? {} : { trustedRoot }) }
  if (!task.given) return verifyBlobAttestation(task.artifact === undefined ? request : { ...request, artifact: task.artifact as Digest })
  const { source, end } = await blobSource(terminal, task.artifact ?? '-', 'verifying')
  return verifyBlobAttestation({ ...request, artifact: source }).finally(end)
}
