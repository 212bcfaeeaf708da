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
  const { digest } = request.image
  // By digest, the listings need not wait for the answer whether the image exists.
  const early = digest === undefined ? undefined : discoverSignatures(signatures, { digest }, options)
  let subject: Digest
  let discovery: Discovery
  try {
    const [resolved, listed] = await Promise.all([resolveSubject(images, request.image), early])
    subject = resolved.digest
    discovery = listed ?? (await discoverSignatures(signatures, resolved, options))
  } catch (cause) {
    return { ...nothing, failure: refusalFrom(failureIn(cause)) }
  }
  const reference = `${images.name}@${subject}`
  return { image, reference, digest: subject, ...(await judge(request, subject, discovery)) }
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
