/** What judging an image and judging a file have in common: everything found is verified with the signers of the policy, which counts what was proven. */
import type { SignedEntity } from '@countersign/core/bundle/model'
import { CountersignError } from '@countersign/core/failure'
import type { CompiledPolicy } from '@countersign/core/policy/compile'
import { demandsOf, type PolicyDemands, trialsOf } from '@countersign/core/policy/demands'
import { evaluatePolicy } from '@countersign/core/policy/evaluate'
import type { PolicyArtifact } from '@countersign/core/policy/match'
import { readProven, type ProvenItem } from '@countersign/core/policy/proven'
import type { RevocationState } from '@countersign/core/policy/revocations'
import type { Verdict } from '@countersign/core/policy/verdict'
import type { Artifact } from '@countersign/core/verify/artifact'
import type { Evidence, Refusal, Verification } from '@countersign/core/verify/evidence'
import type { VerifyPolicy } from '@countersign/core/verify/policy'
import { verifyEntity } from '@countersign/core/verify/verify'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import { gate } from '../discover/bounded.ts'
import { type Anchored, anchoredAs } from './anchored.ts'
import { refusalFrom } from './outcome.ts'
import { startTimeLimit } from './time-limit.ts'

/** By what everything is judged. `revocations` holds the state of each list that the policy names. */
export type JudgingRequest = Anchored & {
  readonly policy: CompiledPolicy
  readonly revocations?: ReadonlyMap<string, RevocationState>
  /** Unix milliseconds. */
  readonly nowMs: number
  /** How long signatures of one artifact are verified, milliseconds; what is left then could not be told. Default two minutes. */
  readonly timeLimitMs?: number
}

/** Something that claims to sign the artifact, and where it was found. */
export type Claimed<Origin> = {
  readonly origin: Origin
  /** The same for people. */
  readonly source: string
  readonly bytes: Uint8Array
  readonly parsed: { readonly ok: true; readonly entity: SignedEntity } | { readonly ok: false; readonly failure: CountersignError }
}

/** What a judgement is made of: evidence, refusals, and what could not be read. */
export type Judged<Origin> = {
  /** Unless the verdict is `deny`. */
  readonly ok: boolean
  readonly accepted: readonly { readonly origin: Origin; readonly evidence: Evidence; readonly bytes: Uint8Array }[]
  readonly rejected: readonly { readonly origin: Origin; readonly refusal: Refusal }[]
  readonly unreadable: readonly CountersignError[]
  readonly verdict: Verdict
  /** Why not, when not `ok`. */
  readonly failure?: Refusal
}

/** What is judged: the artifact as the policy sees it, and as signatures are verified against it. */
export type Judgeable<Origin> = {
  readonly artifact: PolicyArtifact
  readonly signed: Artifact
  readonly claimed: readonly Claimed<Origin>[]
  readonly unreadable: readonly CountersignError[]
}

/**
 * Signatures that are tried with keys, each with each, for one artifact. Hostile: a few thousand worthless signatures in a registry, times the
 * keys of a large policy, would keep a verifier busy for minutes. What is left over makes the outcome "could not tell".
 */
const maxTrials = 20_000

/** Verifies everything and evaluates the policy. Refusals are values; only broken assumptions throw. */
export async function judgeClaimed<Origin>(request: JudgingRequest, judgeable: Judgeable<Origin>): Promise<Judged<Origin>> {
  const { artifact, claimed } = judgeable
  const demands = demandsOf(request.policy)
  const { tried, left } = withinTrials(claimed, demands)
  const through = gate(8)
  const time = startTimeLimit(request.timeLimitMs)
  const proofs = await Promise.all(tried.map((one) => through(() => time.within(() => proveOne(request, demands, judgeable.signed, one)))))
  const results = proofs.filter((result) => result !== undefined)
  const unreadable = [...judgeable.unreadable, ...(left === 0 ? [] : [tooMany(left)]), ...time.leftOut()]
  const accepted = results.filter((result) => 'evidence' in result)
  const rejected = results.filter((result) => 'refusal' in result)
  const verdict = evaluatePolicy(request.policy, {
    artifact,
    evidence: accepted.map(({ item }) => item),
    refusals: rejected.map(({ source, refusal }) => ({ source, refusal })),
    unreadable: unreadable.map(({ code, message }) => ({ code, detail: message })),
    revocations: request.revocations ?? new Map(),
    nowMs: request.nowMs,
  })
  const judged = { accepted, rejected, unreadable, verdict }
  return verdict.code === undefined ? { ok: true, ...judged } : { ok: false, ...judged, failure: refusalOf(verdict, verdict.code) }
}

/** As many as the bound allows, in the order in which they were found. */
function withinTrials<Origin>(
  claimed: readonly Claimed<Origin>[],
  demands: PolicyDemands,
): { readonly tried: readonly Claimed<Origin>[]; readonly left: number } {
  let trials = 0
  const tried = claimed.filter(({ parsed }) => {
    trials += parsed.ok ? trialsOf(demands, parsed.entity) : 0
    return trials <= maxTrials
  })
  return { tried, left: claimed.length - tried.length }
}

function tooMany(left: number): CountersignError {
  return new CountersignError(
    'limit_exceeded',
    `${left} signatures were not tried: more than ${maxTrials} trials of signatures with keys`,
    {
      hint: 'Remove signatures that nobody needs from the registry, or name fewer keys in the policy.',
    },
  )
}

function refusalOf(verdict: Verdict, code: Refusal['code']): Refusal {
  const wanted = verdict.rules.find(({ decision, wanted }) => decision === 'deny' && wanted !== undefined)?.wanted
  const lists = verdict.revocations.filter(({ decision }) => decision === 'deny').map(({ detail }) => detail)
  const rules = verdict.rules.filter(({ decision }) => decision === 'deny').map(({ rule, detail }) => `${rule}: ${detail}`)
  const why = [...lists, ...rules].join('; ') || verdict.detail
  return { ok: false, code, detail: `policy ${verdict.policy}: ${why}`, ...(wanted === undefined ? {} : { expected: wanted }), checks: [] }
}

type Proof<Origin> =
  | { readonly origin: Origin; readonly source: string; readonly refusal: Refusal }
  | { readonly origin: Origin; readonly evidence: Evidence; readonly bytes: Uint8Array; readonly item: ProvenItem }

async function proveOne<Origin>(
  request: JudgingRequest,
  demands: PolicyDemands,
  signed: Artifact,
  { origin, source, bytes, parsed }: Claimed<Origin>,
): Promise<Proof<Origin>> {
  if (!parsed.ok) return { origin, source, refusal: refusalFrom(parsed.failure) }
  const result = await proveEntity(request, demands, signed, parsed.entity)
  if (!result.ok) return { origin, source, refusal: result }
  return { origin, evidence: result.evidence, bytes, item: await readProven(result.evidence, source, nodePrimitives) }
}

/** By the names in its certificate where it has one, else by the keys: one signature is never evidence twice. */
async function proveEntity(
  request: JudgingRequest,
  demands: PolicyDemands,
  artifact: Artifact,
  entity: SignedEntity,
): Promise<Verification> {
  let first: Refusal | undefined
  for (const policy of orderOf(demands, entity)) {
    if (policy === undefined) continue
    const result = await verifyEntity({
      entity,
      artifact,
      policy,
      ...anchoredAs(request),
      nowMs: request.nowMs,
      primitives: nodePrimitives,
    })
    if (result.ok) return result
    first ??= result
  }
  return first ?? { ok: false, code: 'signer_untrusted', detail: 'the policy names nobody who may have signed', checks: [] }
}

function orderOf({ keys, certificates, authorities }: PolicyDemands, { material }: SignedEntity): readonly (VerifyPolicy | undefined)[] {
  return material.kind === 'certificate' ? [certificates, authorities, keys] : [keys, certificates, authorities]
}
