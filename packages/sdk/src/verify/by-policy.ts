/** Judging images by a policy. */
import type { Descriptor } from '@countersign/core/oci/model'
import { needsMediaType } from '@countersign/core/policy/demands'
import type { Verdict } from '@countersign/core/policy/verdict'
import { type DiscoveryOptions, discoverSignatures } from '../discover/discover.ts'
import type { Discovery } from '../discover/found.ts'
import { failureIn } from '../discover/reading.ts'
import { type ImageRepositories, withImageRepositories } from '../sign/repositories.ts'
import { describeReference, resolveSubject } from '../sign/subjects.ts'
import { absence } from './absence.ts'
import { judgeClaimed, type JudgingRequest } from './judging.ts'
import { refusalFrom } from './outcome.ts'
import { platformsOf } from './platforms.ts'
import { withRemembered } from './remembered.ts'
import type { ImageVerification, VerifyImageRequest } from './requests.ts'

/** Judges an image. `revocations` holds the state of each list that the policy names. */
export type JudgeImageRequest = JudgingRequest &
  Pick<VerifyImageRequest, 'image' | 'checkPresent'> & {
    /** `os/architecture[/variant]` of the index that the image was chosen from: what a rule about platforms asks of. Default: the image's own. */
    readonly platforms?: readonly string[]
  }

/** The verdict, and what it was made of; without a verdict the image could not be resolved. `ok` unless the verdict is `deny`. */
export type ImageVerdict = ImageVerification & { readonly verdict?: Verdict }

/**
 * Judges an image by a policy: everything that claims to sign or attest it is found, verified with the signers that the policy names, and
 * counted. Refusals are values; only broken assumptions and unusable requests throw. An image that is named by its digest is asked for itself
 * where the policy looks at its media type or platforms, where it does not allow it by what somebody signed, and where the request says so.
 *
 * @example
 * ```ts
 * import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
 * import { loadPolicy } from '@countersign/sdk/policy/source'
 *
 * const rules = '{"apiVersion":"countersign.dev/v1", …}'
 * const demands = await loadPolicy(rules, 'policy.json', { primitives: nodePrimitives })
 * const result = await judgeImage({ image, policy: demands, nowMs: Date.now(), connection })
 * for (const { rule, outcome, detail } of result.verdict?.rules ?? []) console.log(rule, outcome, detail)
 * ```
 */
export async function judgeImage(
  request: JudgeImageRequest & Pick<VerifyImageRequest, 'connection' | 'signatureRepository'>,
): Promise<ImageVerdict> {
  return withImageRepositories(request, (repositories) => judgeImageIn(repositories, request))
}

/** Judges an image in repositories that are open already. Refusals are values; only broken assumptions throw. */
export async function judgeImageIn(
  repositories: ImageRepositories,
  request: JudgeImageRequest,
  options: DiscoveryOptions = {},
): Promise<ImageVerdict> {
  return withRemembered(
    repositories,
    (places) => judgeOnce(places, request, options),
    ({ verdict }) => verdict?.decision === 'allow',
  )
}

async function judgeOnce(
  { images, signatures }: ImageRepositories,
  request: JudgeImageRequest,
  options: DiscoveryOptions,
): Promise<ImageVerdict> {
  const image = describeReference(images.name, request.image)
  const nothing = { ok: false, image, accepted: [], rejected: [], unreadable: [] } as const
  const wanted = request.policy.rules.some(({ rule }) => rule.demand.kind === 'platforms')
  const asked = wanted || needsMediaType(request.policy) || request.checkPresent === true
  const unasked = asked ? undefined : request.image.digest
  let subject: Pick<Descriptor, 'digest'> & Partial<Descriptor>
  let discovery: Discovery
  let platforms: readonly string[] | undefined
  try {
    subject = unasked === undefined ? await resolveSubject(images, request.image) : { digest: unasked }
    const listed = Promise.all([
      discoverSignatures(signatures, subject, options),
      wanted ? (request.platforms ?? platformsOf(images, subject)) : undefined,
    ])
    ;[discovery, platforms] = await listed
  } catch (cause) {
    return { ...nothing, failure: refusalFrom(failureIn(cause)) }
  }
  const { digest, mediaType } = subject
  const judged = await judgeClaimed(request, {
    artifact: {
      kind: 'image',
      reference: request.image,
      digests: [digest],
      ...(mediaType === undefined ? {} : { mediaType }),
      ...(platforms === undefined ? {} : { platforms }),
    },
    signed: { kind: 'digest', digests: [digest] },
    claimed: discovery.found.map((found) => ({ ...found, source: found.origin.manifest })),
    unreadable: discovery.unreadable,
  })
  // A rule may allow what nobody signed: that, too, is said of things that exist.
  const proven = judged.verdict.decision === 'allow' && judged.accepted.length > 0
  const absent = proven || unasked === undefined ? undefined : await absence(images, { digest })
  if (absent !== undefined) return { ...nothing, failure: absent }
  return { image, reference: `${images.name}@${digest}`, digest, ...judged }
}
