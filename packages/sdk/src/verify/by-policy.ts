/** Judging images by a policy: everything found is verified with the signers that the policy names, and the policy counts what was proven. */
import type { SignedEntity } from '@countersign/core/bundle/model'
import type { Descriptor } from '@countersign/core/oci/model'
import type { CompiledPolicy } from '@countersign/core/policy/compile'
import { demandsOf, type PolicyDemands } from '@countersign/core/policy/demands'
import { evaluatePolicy, type PolicyInput } from '@countersign/core/policy/evaluate'
import { readProven, type ProvenItem } from '@countersign/core/policy/proven'
import type { RevocationState } from '@countersign/core/policy/revocations'
import type { Verdict } from '@countersign/core/policy/verdict'
import type { Refusal, Verification } from '@countersign/core/verify/evidence'
import { verifyEntity } from '@countersign/core/verify/verify'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import { gate } from '../discover/bounded.ts'
import { discoverSignatures } from '../discover/discover.ts'
import { parseStoredManifest } from '../discover/entity.ts'
import type { Discovery, FoundEntity } from '../discover/found.ts'
import { failureIn } from '../discover/reading.ts'
import type { ImageRepositories } from '../sign/repositories.ts'
import { describeReference, resolveSubject } from '../sign/subjects.ts'
import { refusalFrom } from './outcome.ts'
import type { ImageVerification, VerifyImageRequest } from './requests.ts'

/** Judges an image. `revocations` holds the state of each list that the policy names. */
export type JudgeImageRequest = Omit<VerifyImageRequest, 'connection' | 'signatureRepository' | 'policy'> & {
  readonly policy: CompiledPolicy
  readonly revocations?: ReadonlyMap<string, RevocationState>
}

/** The verdict, and what it was made of; without a verdict the image could not be resolved. `ok` unless the verdict is `deny`. */
export type ImageVerdict = ImageVerification & { readonly verdict?: Verdict }

/** Judges an image in repositories that are open already. Refusals are values; only broken assumptions throw. */
export async function judgeImageIn({ images, signatures }: ImageRepositories, request: JudgeImageRequest): Promise<ImageVerdict> {
  const image = describeReference(images.name, request.image)
  let subject: Descriptor
  let discovery: Discovery
  let platforms: readonly string[] | undefined
  try {
    subject = await resolveSubject(images, request.image)
    const listed = Promise.all([discoverSignatures(signatures, subject), platformsOf(request.policy, images, subject)])
    ;[discovery, platforms] = await listed
  } catch (cause) {
    return { ok: false, image, accepted: [], rejected: [], unreadable: [], failure: refusalFrom(failureIn(cause)) }
  }
  const demands = demandsOf(request.policy)
  const through = gate(8)
  const results = await Promise.all(discovery.found.map((found) => through(() => proveOne(request, demands, subject, found))))
  const accepted = results.filter((result) => 'evidence' in result)
  const rejected = results.filter((result) => 'refusal' in result)
  const { unreadable } = discovery
  const input: PolicyInput = {
    artifact: {
      kind: 'image',
      reference: request.image,
      digests: [subject.digest],
      mediaType: subject.mediaType,
      ...(platforms === undefined ? {} : { platforms }),
    },
    evidence: accepted.map(({ item }) => item),
    refusals: rejected.map(({ origin, refusal }) => ({ source: origin.manifest, refusal })),
    unreadable: unreadable.map(({ code, message }) => ({ code, detail: message })),
    revocations: request.revocations ?? new Map(),
    nowMs: request.nowMs,
  }
  const verdict = evaluatePolicy(request.policy, input)
  const found = { image, reference: `${images.name}@${subject.digest}`, digest: subject.digest, accepted, rejected, unreadable, verdict }
  return verdict.code === undefined ? { ok: true, ...found } : { ok: false, ...found, failure: refusalOf(verdict, verdict.code) }
}

function refusalOf(verdict: Verdict, code: Refusal['code']): Refusal {
  const wanted = verdict.rules.find(({ decision, wanted }) => decision === 'deny' && wanted !== undefined)?.wanted
  const lists = verdict.revocations.filter(({ decision }) => decision === 'deny').map(({ detail }) => detail)
  const rules = verdict.rules.filter(({ decision }) => decision === 'deny').map(({ rule, detail }) => `${rule}: ${detail}`)
  const why = [...lists, ...rules].join('; ') || verdict.detail
  return { ok: false, code, detail: `policy ${verdict.policy}: ${why}`, ...(wanted === undefined ? {} : { expected: wanted }), checks: [] }
}

type Proof = ImageVerification['rejected'][number] | (ImageVerification['accepted'][number] & { readonly item: ProvenItem })

async function proveOne(request: JudgeImageRequest, demands: PolicyDemands, subject: Descriptor, found: FoundEntity): Promise<Proof> {
  const { origin, bytes, parsed } = found
  if (!parsed.ok) return { origin, refusal: refusalFrom(parsed.failure) }
  const result = await proveEntity(request, demands, subject, parsed.entity)
  if (!result.ok) return { origin, refusal: result }
  return { origin, evidence: result.evidence, bytes, item: await readProven(result.evidence, origin.manifest, nodePrimitives) }
}

/** By the names in its certificate where it has one, else by the keys: one signature is never evidence twice. */
async function proveEntity(
  request: JudgeImageRequest,
  demands: PolicyDemands,
  subject: Descriptor,
  entity: SignedEntity,
): Promise<Verification> {
  const { trustedRoot, nowMs } = request
  const certified = entity.material.kind === 'certificate'
  let first: Refusal | undefined
  for (const policy of certified ? [demands.certificates, demands.keys] : [demands.keys, demands.certificates]) {
    if (policy === undefined) continue
    const artifact = { kind: 'digest', digests: [subject.digest] } as const
    const root = trustedRoot === undefined ? {} : { trustedRoot }
    const result = await verifyEntity({ entity, artifact, policy, ...root, nowMs, primitives: nodePrimitives })
    if (result.ok) return result
    first ??= result
  }
  return first ?? { ok: false, code: 'signer_untrusted', detail: 'the policy names nobody who may have signed', checks: [] }
}

/** The platforms of an index, where a rule asks for some; of a single manifest they are not known. */
async function platformsOf(
  { rules }: CompiledPolicy,
  images: ImageRepositories['images'],
  subject: Descriptor,
): Promise<readonly string[] | undefined> {
  if (!rules.some(({ rule }) => rule.demand.kind === 'platforms')) return undefined
  const stored = await images.manifest({ digest: subject.digest })
  const manifest = stored === undefined ? undefined : parseStoredManifest(stored)
  if (manifest?.kind !== 'index') return undefined
  return manifest.manifests.flatMap(({ platform }) =>
    platform === undefined
      ? []
      : [[platform.os, platform.architecture, ...(platform.variant === undefined ? [] : [platform.variant])].join('/')],
  )
}
