/** Verifies a file as `verify-blob` does, and keeps what was seen. */
import type { Verification } from '@countersign/core/verify/evidence'
import type { ContentDemand } from '@countersign/core/verify/policy'
import { asAbsence } from '@countersign/sdk/blob/absence'
import { verifyBlobAttestation } from '@countersign/sdk/blob/verify'
import { judgeFile } from '@countersign/sdk/verify/file-by-policy'
import type { TraceEvent } from '@countersign/sdk/trace'
import type { Invocation } from '../command/invocation.ts'
import { namesNobody } from '../demands/accepting.ts'
import { readBlobEvidence } from '../demands/blob-evidence.ts'
import { evidenceBeside } from '../demands/evidence-beside.ts'
import { judgingFromFlags } from '../demands/judging.ts'
import { demandsFromFlags } from '../demands/policy.ts'
import { blobSource } from '../signing/blob-source.ts'
import type { Explained } from './explained.ts'

const anybody = { kind: 'any_certified_signer_UNSAFE', reason: 'to say who signed' } as const

/** Verifies a file and keeps what was seen on the way. Throws what the verbs for files throw before they verify. */
export async function explainFile(invocation: Invocation, subject: string, content: ContentDemand): Promise<Explained> {
  const policy = invocation.flags.text('policy')
  return policy === undefined ? byFlags(invocation, subject, content) : byPolicy(invocation, subject, content, policy)
}

async function byFlags(invocation: Invocation, subject: string, content: ContentDemand): Promise<Explained> {
  const { flags, terminal } = invocation
  const signer = namesNobody(flags) ? { signer: anybody } : {}
  const demands = await demandsFromFlags(invocation, content, 'file', signer)
  const beside = await readBlobEvidence(invocation, subject, flags.list('bundle')[0])
  const request = {
    ...beside.parts,
    nowMs: terminal.nowMs,
    ...(demands.trustedRoot === undefined ? {} : { trustedRoot: demands.trustedRoot }),
  }
  const start = performance.now()
  const verify = async (policy: typeof demands.policy): Promise<Verification> => {
    const { source, end } = await blobSource(terminal, subject, 'verifying')
    return verifyBlobAttestation({ ...request, policy, artifact: source }).finally(end)
  }
  const verification = asAbsence(await verify(demands.policy), content)
  const ms = performance.now() - start
  const whoElse = !verification.ok && verification.code === 'identity_mismatch' && subject !== '-'
  const other = whoElse ? await verify({ ...demands.policy, signer: anybody }) : undefined
  const events: readonly TraceEvent[] = [
    readEvent(beside.name, 'the signature', beside.parts.evidence.length, 0),
    readEvent(subject, 'the file, to hash it', 0, ms),
  ]
  const result = verification.ok ? { evidence: verification.evidence } : { refusal: verification }
  return {
    kind: 'file',
    content: content.kind,
    demands: demands.report,
    events,
    dropped: 0,
    ...(verification.ok && verification.evidence.artifact !== undefined ? { digest: verification.evidence.artifact } : {}),
    signatures: [{ name: beside.name, result }],
    unreadable: [],
    ...(verification.ok ? {} : { failure: verification }),
    proven: other?.ok === true ? [other.evidence] : [],
  }
}

async function byPolicy(invocation: Invocation, subject: string, content: ContentDemand, policy: string): Promise<Explained> {
  const { request, report } = await judgingFromFlags(invocation, policy, 'file')
  const beside = await evidenceBeside(invocation, subject, invocation.flags.list('bundle'))
  const { source, end } = await blobSource(invocation.terminal, subject, 'judging')
  const start = performance.now()
  const path = subject.replace(/^(?:\.\/+)+/, '')
  const result = await judgeFile({ ...request, ...beside, file: source, path }).finally(end)
  const ms = performance.now() - start
  return {
    kind: 'file',
    content: content.kind,
    demands: report,
    events: [
      ...beside.evidence.map(({ name, bytes }) => readEvent(name, 'a signature', bytes.length, 0)),
      readEvent(subject, 'the file, to hash it', 0, ms),
    ],
    dropped: 0,
    ...(result.digest === undefined ? {} : { digest: result.digest }),
    signatures: [
      ...result.accepted.map(({ origin, evidence }) => ({ name: origin, result: { evidence } })),
      ...result.rejected.map(({ origin, refusal }) => ({ name: origin, result: { refusal } })),
    ],
    unreadable: result.unreadable,
    ...(result.verdict === undefined ? {} : { verdict: result.verdict }),
    ...(result.failure === undefined ? {} : { failure: result.failure }),
    proven: [],
  }
}

function readEvent(place: string, purpose: string, bytes: number, ms: number): TraceEvent {
  return { kind: 'read', place, purpose, found: true, bytes, ms }
}
