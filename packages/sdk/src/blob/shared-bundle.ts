/** One signature that vouches for many files: an in-toto statement with many subjects. */
import type { SignedEntity } from '@countersign/core/bundle/model'
import { type Digest, digestAlgorithm, type HashAlgorithm, parseDigest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { readArtifact } from '@countersign/core/verify/artifact'
import { bindArtifact } from '@countersign/core/verify/binding'
import { type ReadContent, readContent } from '@countersign/core/verify/content'
import type { Evidence, Refusal, Verification } from '@countersign/core/verify/evidence'
import { openLedger, refusalOf } from '@countersign/core/verify/ledger'
import type { VerifyPolicy } from '@countersign/core/verify/policy'
import { verifyEntity } from '@countersign/core/verify/verify'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import type { BlobSource } from '../sign/requests.ts'
import { type Anchored, anchoredAs } from '../verify/anchored.ts'
import { asEvidenceFailure, refusalFrom } from '../verify/outcome.ts'
import { readBlobEntity } from './evidence-file.ts'
import { verifyBlob } from './verify.ts'

/** What a shared signature is verified with. */
export type SharedBundleRequest = Anchored & {
  readonly evidence: Uint8Array
  readonly policy: VerifyPolicy
  /** Unix milliseconds. */
  readonly nowMs: number
}

/** A signature that was read once. */
export type SharedBundle = {
  /** Verifies a file with it; the file is read once. Refusals are values, as of `verifyBlob`. */
  readonly verify: (file: BlobSource) => Promise<Verification>
}

type Content = Extract<ReadContent, { kind: 'statement' }>
type Subject = Content['statement']['subjects'][number]

/**
 * Reads a signature that vouches for several files. A statement is proven once, and each file is then found among its subjects: to verify it
 * anew for each of ten thousand files would take their square. Anything else is verified with each file.
 */
export async function openSharedBundle(request: SharedBundleRequest): Promise<SharedBundle> {
  const each: SharedBundle = { verify: (artifact) => verifyBlob({ ...request, artifact }) }
  let entity: SignedEntity
  let content: ReadContent
  try {
    entity = readBlobEntity(request.evidence)
    content = readContent(entity.content)
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code === 'internal') throw cause
    const refusal = refusalFrom(asEvidenceFailure(cause))
    return { verify: async () => refusal }
  }
  if (content.kind !== 'statement') return each
  return sharedStatement(request, entity, content)
}

async function sharedStatement(request: SharedBundleRequest, entity: SignedEntity, content: Content): Promise<SharedBundle> {
  const { subjects } = content.statement
  const byDigest = new Map<Digest, Subject[]>()
  for (const subject of subjects) {
    for (const digest of digestsOf(subject)) {
      const same = byDigest.get(digest)
      if (same === undefined) byDigest.set(digest, [subject])
      else same.push(subject)
    }
  }
  const [sample] = byDigest.keys()
  const hashes: readonly HashAlgorithm[] = [...new Set([...byDigest.keys()].map(digestAlgorithm))]
  const proof = await prove(request, entity, sample)
  return {
    verify: async (file) => {
      if (!proof.ok) return proof
      try {
        const artifact = await readArtifact(
          { kind: 'stream', stream: file.open() },
          hashes.length === 0 ? ['sha256'] : hashes,
          0,
          nodePrimitives,
        )
        const candidates = new Set(artifact.digests.flatMap((digest) => byDigest.get(digest) ?? []))
        // Those that the file's digests lead to, or the statement's first ones, to say what it is about.
        const named = candidates.size === 0 ? subjects.slice(0, 5) : [...candidates]
        const ledger = openLedger()
        const { policy } = request
        const narrowed = { ...content, statement: { ...content.statement, subjects: named } }
        const binding = bindArtifact(narrowed, undefined, artifact, policy.content, policy.claims, ledger)
        const { artifact: _other, ...evidence } = proof.evidence
        const checks = [...evidence.checks.filter(({ check }) => check !== 'artifact_digest' && check !== 'annotations'), ...ledger.checks]
        return { ok: true, evidence: { ...evidence, ...binding, checks, waivers: [...evidence.waivers, ...ledger.waivers] } }
      } catch (cause) {
        if (!(cause instanceof CountersignError) || cause.code === 'internal') throw cause
        return refusalOf(
          cause,
          proof.evidence.checks.filter(({ check }) => check !== 'artifact_digest'),
        )
      }
    },
  }
}

type Proof = { readonly ok: true; readonly evidence: Evidence } | Refusal

/** Everything but which file it is about: one that the statement itself names is put in its place. */
function prove(request: SharedBundleRequest, entity: SignedEntity, sample: Digest | undefined): Promise<Proof> {
  const { policy, nowMs } = request
  const artifact =
    sample === undefined ? ({ kind: 'bytes', bytes: new Uint8Array() } as const) : ({ kind: 'digest', digests: [sample] } as const)
  // Annotations are demanded of each file's own subject, below.
  const content = policy.content.kind === 'signature' ? ({ kind: 'signature' } as const) : policy.content
  return verifyEntity({ entity, artifact, policy: { ...policy, content }, ...anchoredAs(request), nowMs, primitives: nodePrimitives })
}

function digestsOf({ digest }: Subject): readonly Digest[] {
  return Object.entries(digest).flatMap(([algorithm, hex]) => parseDigest(`${algorithm}:${hex}`) ?? [])
}
