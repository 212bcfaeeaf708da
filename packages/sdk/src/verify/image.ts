/** Verifying images: the public function. */
import type { Digest } from '@countersign/core/digest'
import { verifyEntity } from '@countersign/core/verify/verify'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import { gate } from '../discover/bounded.ts'
import { discoverSignatures, type DiscoveryOptions } from '../discover/discover.ts'
import type { Discovery, FoundEntity } from '../discover/found.ts'
import { failureIn } from '../discover/reading.ts'
import { type ImageRepositories, withImageRepositories } from '../sign/repositories.ts'
import { describeReference, resolveSubject } from '../sign/subjects.ts'
import { absence } from './absence.ts'
import { nameRefusal } from './bound-name.ts'
import { anchoredAs } from './anchored.ts'
import { countsFor, gravestFailure, refusalFrom } from './outcome.ts'
import { withRemembered } from './remembered.ts'
import { startTimeLimit } from './time-limit.ts'
import type { AcceptedSignature, ImageVerification, RejectedSignature, VerifyImageRequest } from './requests.ts'

/**
 * Verifies that an image is signed (or attested) as the policy demands: one acceptable signature is enough, all others are reported too.
 *
 * Everything in the repository is read once: signatures in every layout, merged. What cannot be read is in `unreadable`, and without an
 * accepted signature the outcome is then "could not tell". Refusals are values; only broken assumptions and unusable requests throw.
 *
 * What is signed is a digest. An image that is named by its digest is not asked for itself where a signature of it is acceptable, unless the
 * request says so (`checkPresent`). A tag is always resolved first.
 *
 * @example
 * ```ts
 * const result = await verifyImage({ image, policy, nowMs: Date.now(), connection })
 * if (!result.ok) console.error(result.failure?.code, result.failure?.detail)
 * ```
 */
export async function verifyImage(request: VerifyImageRequest): Promise<ImageVerification> {
  return withImageRepositories(request, (repositories) => verifyImageIn(repositories, request))
}

/** {@link verifyImage} in repositories that are open already. */
export async function verifyImageIn(
  repositories: ImageRepositories,
  request: Omit<VerifyImageRequest, 'connection' | 'signatureRepository'>,
  options: DiscoveryOptions = {},
): Promise<ImageVerification> {
  return withRemembered(
    repositories,
    (places) => verifyOnce(places, request, options),
    ({ ok }) => ok,
  )
}

async function verifyOnce(
  { images, signatures }: ImageRepositories,
  request: Omit<VerifyImageRequest, 'connection' | 'signatureRepository'>,
  options: DiscoveryOptions,
): Promise<ImageVerification> {
  const image = describeReference(images.name, request.image)
  const nothing = { ok: false, image, accepted: [], rejected: [], unreadable: [] } as const
  const { digest: named } = request.image
  const unasked = request.checkPresent === true ? undefined : named
  let digest: Digest
  let discovery: Discovery
  try {
    // By digest, the listings need not wait for the answer whether the image exists.
    const early = named === undefined ? undefined : discoverSignatures(signatures, { digest: named }, options)
    const resolving = unasked === undefined ? resolveSubject(images, request.image) : { digest: unasked }
    const [resolved, listed] = await Promise.all([resolving, early])
    digest = resolved.digest
    discovery = listed ?? (await discoverSignatures(signatures, resolved, options))
  } catch (cause) {
    return { ...nothing, failure: refusalFrom(failureIn(cause)) }
  }
  const judgement = await judge(request, digest, discovery)
  const absent = judgement.ok || unasked === undefined ? undefined : await absence(images, { digest })
  if (absent !== undefined) return { ...nothing, failure: absent }
  return { image, reference: `${images.name}@${digest}`, digest, ...judgement }
}

type JudgeRequest = Pick<
  VerifyImageRequest,
  'image' | 'policy' | 'trustedRoot' | 'certificateCache' | 'nowMs' | 'checkName' | 'timeLimitMs'
>
type Judgement = Pick<ImageVerification, 'ok' | 'accepted' | 'rejected' | 'unreadable' | 'failure'>

async function judge(request: JudgeRequest, subject: Digest, discovery: Discovery): Promise<Judgement> {
  const counted = discovery.found.filter((found) => countsFor(found, request.policy.content))
  const through = gate(8)
  const time = startTimeLimit(request.timeLimitMs)
  const judged = await Promise.all(counted.map((found) => through(() => time.within(() => judgeOne(request, subject, found)))))
  const results = judged.filter((result) => result !== undefined)
  const accepted = results.filter((result) => 'evidence' in result)
  const rejected = results.filter((result) => 'refusal' in result)
  const unreadable = [...discovery.unreadable, ...time.leftOut()]
  if (accepted.length > 0) return { ok: true, accepted, rejected, unreadable }
  const others = discovery.found.length - counted.length
  return {
    ok: false,
    accepted,
    rejected,
    unreadable,
    failure: gravestFailure(request.policy.content, subject, rejected, unreadable, others),
  }
}

async function judgeOne(request: JudgeRequest, subject: Digest, found: FoundEntity): Promise<AcceptedSignature | RejectedSignature> {
  const { origin, bytes } = found
  if (!found.parsed.ok) return { origin, refusal: refusalFrom(found.parsed.failure) }
  const { policy, nowMs } = request
  const verification = await verifyEntity({
    entity: found.parsed.entity,
    artifact: { kind: 'digest', digests: [subject] },
    policy,
    ...anchoredAs(request),
    nowMs,
    primitives: nodePrimitives,
  })
  if (!verification.ok) return { origin, refusal: verification }
  const { evidence } = verification
  const unbound = request.checkName === true ? nameRefusal(evidence, request.image) : undefined
  return unbound === undefined ? { origin, evidence, bytes } : { origin, refusal: unbound }
}
