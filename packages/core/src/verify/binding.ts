/** That the signed content is about this artifact and no other: digests, subjects and annotations. */
import { digestAlgorithm, parseDigest, type Digest, type HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import type { Statement } from '../statement/statement.ts'
import { digestBy, type KnownArtifact } from './artifact.ts'
import type { ReadContent } from './content.ts'
import type { Ledger } from './ledger.ts'
import type { ContentDemand, Demand } from './policy.ts'

/** What the content was proven to say about the artifact. */
export type Binding = {
  /** Absent only when claims were waived. */
  readonly artifact?: Digest
  readonly annotations: Readonly<Record<string, string>>
}

type Subject = Statement['subjects'][number]

/** The hash functions in which the content names its artifacts; those that the platform does not take are left out. */
export function namedHashes(content: Exclude<ReadContent, { kind: 'message' }>): readonly HashAlgorithm[] {
  if (content.kind === 'simple-signing') return [digestAlgorithm(content.payload.digest)]
  return content.statement.subjects.flatMap((subject) => supportedDigests(subject).map(digestAlgorithm))
}

/**
 * Refuses with `artifact_altered` when a bundle says for which digest its signature is, and the artifact has another. The claim itself proves
 * nothing (sigstore_common.proto, MessageSignature); comparing it first only tells an altered artifact from an altered signature.
 */
export function demandClaimedDigest(content: Extract<ReadContent, { kind: 'message' }>, artifact: KnownArtifact): void {
  const { claimedDigest } = content
  if (claimedDigest === undefined) return
  const found = digestBy(artifact, digestAlgorithm(claimedDigest))
  if (found === undefined || found === claimedDigest) return
  throw new CountersignError('artifact_altered', 'this is not the artifact that was signed', { expected: claimedDigest, found })
}

/**
 * Proves that authenticated content names the artifact, and its annotations. Refuses with `subject_mismatch` or `annotation_mismatch`.
 * A message signature is over the artifact itself: that it held is the proof, and `signedDigest` is what it held for.
 */
export function bindArtifact(
  content: ReadContent,
  signedDigest: Digest | undefined,
  artifact: KnownArtifact,
  demand: ContentDemand,
  claims: Demand,
  ledger: Ledger,
): Binding {
  const binding = content.kind === 'message' ? messageBinding(signedDigest) : payloadBinding(content, artifact, claims, ledger)
  if (binding.artifact !== undefined) ledger.held('artifact_digest', binding.artifact)
  if (demand.kind === 'signature' && demand.annotations !== undefined && demand.annotations.size > 0) {
    demandAnnotations(binding.annotations, demand.annotations)
    ledger.held('annotations', [...demand.annotations].map(([name, value]) => `${name}=${value}`).join(', '))
  }
  return binding
}

function messageBinding(signedDigest: Digest | undefined): Binding {
  return { ...(signedDigest === undefined ? {} : { artifact: signedDigest }), annotations: {} }
}

function payloadBinding(
  content: Exclude<ReadContent, { kind: 'message' }>,
  artifact: KnownArtifact,
  claims: Demand,
  ledger: Ledger,
): Binding {
  const named = content.kind === 'statement' ? content.statement.subjects : [payloadSubject(content)]
  for (const subject of named) {
    const matched = matchedDigest(subject, artifact)
    if (matched !== undefined) return { artifact: matched, annotations: subject.annotations ?? {} }
  }
  if (claims.kind === 'waived_UNSAFE') {
    ledger.waived('artifact_digest', claims.reason)
    return { annotations: named.length === 1 ? (named[0]?.annotations ?? {}) : {} }
  }
  throw new CountersignError('subject_mismatch', 'the signed content is about another artifact', {
    expected: artifact.digests.join(', '),
    found: describeSubjects(named),
  })
}

/**
 * The digest by which a subject is the artifact: one at least is equal, and none of those that are known differs. Without the second half a
 * subject could carry one artifact's SHA-256 beside another's SHA-512, and be both.
 */
function matchedDigest(subject: Subject, artifact: KnownArtifact): Digest | undefined {
  const comparable = supportedDigests(subject).filter((digest) => digestBy(artifact, digestAlgorithm(digest)) !== undefined)
  const equal = comparable.every((digest) => digestBy(artifact, digestAlgorithm(digest)) === digest)
  return equal ? comparable[0] : undefined
}

function supportedDigests(subject: Subject): readonly Digest[] {
  return Object.entries(subject.digest).flatMap(([algorithm, hex]) => parseDigest(`${algorithm}:${hex}`) ?? [])
}

function payloadSubject({ payload }: Extract<ReadContent, { kind: 'simple-signing' }>): Subject {
  const [algorithm, hex] = payload.digest.split(':') as [HashAlgorithm, string]
  return { digest: { [algorithm]: hex }, annotations: payload.annotations }
}

function demandAnnotations(found: Readonly<Record<string, string>>, demanded: ReadonlyMap<string, string>): void {
  for (const [name, value] of demanded) {
    const actual = Object.hasOwn(found, name) ? found[name] : undefined
    if (actual === value) continue
    throw new CountersignError(
      'annotation_mismatch',
      `the signature does not carry the annotation ${JSON.stringify(name)} that is demanded`,
      {
        expected: `${name}=${value}`,
        found: actual === undefined ? 'no such annotation' : `${name}=${actual}`,
      },
    )
  }
}

function describeSubjects(subjects: readonly Subject[]): string {
  const shown = subjects.slice(0, 4).map((subject) => supportedDigests(subject).join(' and ') || 'a subject without a supported digest')
  return shown.join(', ') + (subjects.length > 4 ? ` and ${subjects.length - 4} more` : '') || 'no subject'
}
