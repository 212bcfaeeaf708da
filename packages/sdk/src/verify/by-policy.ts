/** Judging images by a policy. */
import type { Descriptor } from '@countersign/core/oci/model'
import type { Verdict } from '@countersign/core/policy/verdict'
import { type DiscoveryOptions, discoverSignatures } from '../discover/discover.ts'
import type { Discovery } from '../discover/found.ts'
import { failureIn } from '../discover/reading.ts'
import { type ImageRepositories, withImageRepositories } from '../sign/repositories.ts'
import { describeReference, resolveSubject } from '../sign/subjects.ts'
import { judgeClaimed, type JudgingRequest } from './judging.ts'
import { refusalFrom } from './outcome.ts'
import { platformsOf } from './platforms.ts'
import { withRemembered } from './remembered.ts'
import type { ImageVerification, VerifyImageRequest } from './requests.ts'

/** Judges an image. `revocations` holds the state of each list that the policy names. */
export type JudgeImageRequest = JudgingRequest &
  Pick<VerifyImageRequest, 'image'> & {
    /** `os/architecture[/variant]` of the index that the image was chosen from: what a rule about platforms asks of. Default: the image's own. */
    readonly platforms?: readonly string[]
  }

/** The verdict, and what it was made of; without a verdict the image could not be resolved. `ok` unless the verdict is `deny`. */
export type ImageVerdict = ImageVerification & { readonly verdict?: Verdict }

/**
 * Judges an image by a policy: everything that claims to sign or attest it is found, verified with the signers that the policy names, and
 * counted. Refusals are values; only broken assumptions and unusable requests throw.
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
  let subject: Descriptor
  let discovery: Discovery
  let platforms: readonly string[] | undefined
  try {
    subject = await resolveSubject(images, request.image)
    const wanted = request.policy.rules.some(({ rule }) => rule.demand.kind === 'platforms')
    const listed = Promise.all([
      discoverSignatures(signatures, subject, options),
      wanted ? (request.platforms ?? platformsOf(images, subject)) : undefined,
    ])
    ;[discovery, platforms] = await listed
  } catch (cause) {
    return { ok: false, image, accepted: [], rejected: [], unreadable: [], failure: refusalFrom(failureIn(cause)) }
  }
  const judged = await judgeClaimed(request, {
    artifact: {
      kind: 'image',
      reference: request.image,
      digests: [subject.digest],
      mediaType: subject.mediaType,
      ...(platforms === undefined ? {} : { platforms }),
    },
    signed: { kind: 'digest', digests: [subject.digest] },
    claimed: discovery.found.map((found) => ({ ...found, source: found.origin.manifest })),
    unreadable: discovery.unreadable,
  })
  return { image, reference: `${images.name}@${subject.digest}`, digest: subject.digest, ...judged }
}
