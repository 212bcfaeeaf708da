/** Verifies one image of a run. */
import type { SignedEntity } from '@countersign/core/bundle/model'
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { formatPlace } from '@countersign/core/oci/reference'
import { buildSimpleSigning } from '@countersign/core/oci/simple-signing'
import { verifyEntity } from '@countersign/core/verify/verify'
import { readBlobEntity } from '../blob/evidence-file.ts'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import { type ImageRepositories } from '../sign/repositories.ts'
import { resolveSubject } from '../sign/subjects.ts'
import { anchoredAs } from '../verify/anchored.ts'
import { judgeImageIn } from '../verify/by-policy.ts'
import { verifyImageIn } from '../verify/image.ts'
import { judgeClaimed } from '../verify/judging.ts'
import { asEvidenceFailure, refusalFrom } from '../verify/outcome.ts'
import { readEvidence } from './evidence.ts'
import type { ItemVerdict, Judge } from './judge.ts'
import type { ContainerItem } from './model.ts'

/** What all images of a run share. */
export type ContainerRun = {
  readonly open: (item: ContainerItem) => Promise<ImageRepositories>
  /** Unix milliseconds. */
  readonly nowMs: number
}

/** What an image is, once its tag is resolved: two items with the same key are the same question. */
export type ResolvedContainer = { readonly key: string; readonly verify: () => Promise<ItemVerdict> }

/** Finds out which image is meant. Throws `artifact_not_found`, and what opening and asking the registry throw. */
export async function resolveContainer(run: ContainerRun, item: ContainerItem, judge: Judge): Promise<ResolvedContainer> {
  const repositories = await run.open(item)
  const { images, signatures } = repositories
  const digest = item.image.digest ?? (await resolveSubject(images, item.image)).digest
  // A policy sees the name as written: by another tag the same digest may be another question.
  const tag = judge.kind === 'policy' ? (item.image.tag ?? '') : ''
  return {
    key: JSON.stringify([images.name, signatures.name, digest, tag, judge.id, item.evidence ?? '', item.platforms ?? []]),
    verify: () => verifyResolved(run, { ...item, image: { ...item.image, digest } }, digest, judge, repositories),
  }
}

async function verifyResolved(
  { nowMs }: ContainerRun,
  item: ContainerItem,
  digest: Digest,
  judge: Judge,
  repositories: ImageRepositories,
): Promise<ItemVerdict> {
  if (item.evidence !== undefined) return verifyDetached(item, item.evidence, digest, judge, repositories, nowMs)
  const { image, platforms } = item
  const trust = anchoredAs(judge)
  // Hostile: an index in an index that the registry hides would be signed, and nothing that it lists verified.
  const checkPresent = platforms !== undefined
  const {
    image: _named,
    accepted,
    ...rest
  } = judge.kind === 'policy'
    ? await judgeImageIn(repositories, {
        image,
        policy: judge.policy,
        revocations: judge.revocations,
        ...trust,
        nowMs,
        checkPresent,
        ...(platforms === undefined ? {} : { platforms }),
      })
    : await verifyImageIn(repositories, { image, policy: judge.policy, ...trust, nowMs, checkPresent })
  return { ...rest, accepted: accepted.map(({ evidence, origin }) => ({ evidence, origin })) }
}

/** By what is in a file: the registry is asked only for the digest. */
async function verifyDetached(
  item: ContainerItem,
  path: string,
  digest: Digest,
  judge: Judge,
  { images }: ImageRepositories,
  nowMs: number,
): Promise<ItemVerdict> {
  const found = { digest, reference: `${images.name}@${digest}` }
  const bytes = await readEvidence(path)
  const parsed = parsedEvidence(item, bytes, digest)
  const trust = anchoredAs(judge)
  if (judge.kind === 'policy') {
    const { mediaType } = await resolveSubject(images, { digest })
    const { policy, revocations } = judge
    const artifact = { kind: 'image', reference: item.image, digests: [digest], mediaType } as const
    const claimed = [{ origin: path, source: path, bytes, parsed }]
    const judged = await judgeClaimed(
      { policy, revocations, ...trust, nowMs },
      { artifact, signed: { kind: 'digest', digests: [digest] }, claimed, unreadable: [] },
    )
    const accepted = judged.accepted.map(({ evidence }) => ({ evidence }))
    return { ...judged, ...found, accepted, rejected: judged.rejected.map(({ refusal }) => ({ refusal })) }
  }
  const nothing = { accepted: [], rejected: [], unreadable: [], ...found }
  if (!parsed.ok) return { ok: false, ...nothing, failure: refusalFrom(parsed.failure) }
  const artifact = { kind: 'digest', digests: [digest] } as const
  const result = await verifyEntity({ entity: parsed.entity, artifact, policy: judge.policy, ...trust, nowMs, primitives: nodePrimitives })
  if (result.ok) return { ok: true, ...nothing, accepted: [{ evidence: result.evidence }] }
  return { ok: false, ...nothing, rejected: [{ refusal: result }], failure: result }
}

type Parsed = { readonly ok: true; readonly entity: SignedEntity } | { readonly ok: false; readonly failure: CountersignError }

/** A bare signature is over the payload that cosign makes of name and digest. */
function parsedEvidence(item: ContainerItem, bytes: Uint8Array, digest: Digest): Parsed {
  try {
    const entity = readBlobEntity(bytes)
    if (entity.content.kind !== 'message') return { ok: true, entity }
    const { place } = item.image
    const payload = buildSimpleSigning({ dockerReference: place.kind === 'registry' ? formatPlace(place) : '', digest, annotations: {} })
    return { ok: true, entity: { ...entity, content: { kind: 'simple-signing', payload, signature: entity.content.signature } } }
  } catch (cause) {
    if (cause instanceof CountersignError) return { ok: false, failure: asEvidenceFailure(cause) }
    throw cause
  }
}
