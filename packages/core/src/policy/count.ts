/** Whether one signature or attestation counts for one rule, and if not, why. */
import type { JsonValue } from '../json/parse.ts'
import { formatReference } from '../oci/reference.ts'
import { inRange, rangeText, timeText } from '../verify/time.ts'
import type { CompiledIdentity, CompiledRule } from './compile.ts'
import type { PolicyArtifact } from './match.ts'
import { nameProblem } from './mirrors.ts'
import type { Mirror, TermsDemand, TimeDemand } from './model.ts'
import type { ProvenItem } from './proven.ts'
import type { RevocationList } from './revocation-list.ts'
import { findRevocation } from './revoked.ts'

/** What one rule is judged in. */
export type Surroundings = {
  readonly artifact: PolicyArtifact
  readonly lists: readonly RevocationList[]
  readonly mirrors: readonly Mirror[]
  readonly nowMs: number
}

/** What was made of an item. A stranger is nobody whom the rule names: what strangers add changes nothing, not even "missing" to "failed". */
export type Counted = {
  readonly item: ProvenItem
  readonly status: 'counts' | 'counts_revoked' | 'does_not_count' | 'could_not_tell' | 'stranger'
  readonly identities: readonly CompiledIdentity[]
  readonly detail?: string
}

/** Judges one item. `contentToo` false leaves out annotations and condition. */
export function countItem(compiled: CompiledRule, item: ProvenItem, around: Surroundings & { readonly contentToo: boolean }): Counted {
  const { artifact, waivers } = item.evidence
  const not = (detail: string, identities: readonly CompiledIdentity[] = []): Counted => ({
    item,
    status: 'does_not_count',
    identities,
    detail,
  })
  // Fail closed: what was proven under a waiver, or of something else, is no evidence here, whoever handed it in.
  if (waivers.length > 0 || artifact === undefined || !around.artifact.digests.includes(artifact)) {
    return { item, status: 'stranger', identities: [], detail: 'not proven of this artifact, with every check' }
  }
  const named = compiled.identities.filter((identity) => identity.windowsFor(item) !== undefined)
  if (named.length === 0) return { item, status: 'stranger', identities: [], detail: 'by nobody whom the rule names' }
  const inWindow = named.filter((identity) => windowHolds(identity, item))
  if (inWindow.length === 0) return not(windowText(named, item), named)
  const { demand } = compiled.rule
  // Evidence may be older than this verdict: it is asked again.
  const { terms } = item.evidence
  if (terms?.expiresMs !== undefined && terms.expiresMs <= around.nowMs) return not(`it expired ${timeText(terms.expiresMs)}`, inWindow)
  const unbound = demand.kind === 'signature' ? termsProblem(demand.terms, item, around) : undefined
  if (unbound !== undefined) return not(unbound, inWindow)
  const late = demand.kind === 'platforms' ? undefined : timeProblem(demand.time, item, around.nowMs)
  if (late !== undefined) return not(late, inWindow)
  const revoked = findRevocation(item, around.lists)
  if (revoked?.severity === 'deny') return not(revoked.detail, inWindow)
  const content = around.contentToo ? contentProblem(compiled, item, around.artifact) : undefined
  if (content !== undefined)
    return { item, status: content.unknown ? 'could_not_tell' : 'does_not_count', identities: inWindow, detail: content.detail }
  if (revoked === undefined) return { item, status: 'counts', identities: inWindow }
  return { item, status: 'counts_revoked', identities: inWindow, detail: revoked.detail }
}

/** A window counts by trusted time alone: without one nothing says that the key was valid when it signed. */
function windowHolds(identity: CompiledIdentity, item: ProvenItem): boolean {
  const { signedMs } = item
  const windows = identity.windowsFor(item) ?? []
  return windows.some((window) => window === undefined || (signedMs !== undefined && inRange(signedMs, window)))
}

function windowText(identities: readonly CompiledIdentity[], item: ProvenItem): string {
  const windows = identities.flatMap((identity) => identity.windowsFor(item) ?? []).filter((window) => window !== undefined)
  const found = item.signedMs === undefined ? 'nothing proves when it was made' : `it was made ${timeText(item.signedMs)}`
  return `${found}, and the signer counts ${windows.map((window) => (window.start === Number.NEGATIVE_INFINITY ? `until ${timeText(window.end ?? 0)}` : rangeText(window))).join(' or ')}`
}

function timeProblem(demand: TimeDemand, { signedMs, evidence }: ProvenItem, nowMs: number): string | undefined {
  if (demand.logged && evidence.log.length === 0) return 'it is in no log that is trusted'
  const timed = demand.required || demand.beforeMs !== undefined || demand.afterMs !== undefined || demand.maxAgeMs !== undefined
  if (!timed) return undefined
  if (signedMs === undefined) return 'nothing proves when it was made'
  if (demand.beforeMs !== undefined && signedMs >= demand.beforeMs)
    return `made ${timeText(signedMs)}, not before ${timeText(demand.beforeMs)}`
  if (demand.afterMs !== undefined && signedMs <= demand.afterMs) return `made ${timeText(signedMs)}, not after ${timeText(demand.afterMs)}`
  if (demand.maxAgeMs !== undefined && nowMs - signedMs > demand.maxAgeMs) return `made ${timeText(signedMs)}, too long ago`
  return undefined
}

function termsProblem(
  demand: TermsDemand,
  { evidence: { terms }, signedMs }: ProvenItem,
  { artifact, mirrors }: Surroundings,
): string | undefined {
  if (demand.expires && terms?.expiresMs === undefined) return 'its signer did not say when it expires'
  if (demand.maxLifetimeMs !== undefined && terms?.expiresMs !== undefined) {
    if (signedMs === undefined) return 'nothing proves when it was made, so that its lifetime is not known'
    if (terms.expiresMs - signedMs > demand.maxLifetimeMs)
      return `it holds from ${timeText(signedMs)} to ${timeText(terms.expiresMs)}, which is longer than ${demand.maxLifetimeMs / 1000} s`
  }
  return demand.boundName ? nameProblem(terms?.name, artifact, mirrors) : undefined
}

function contentProblem(
  { rule: { demand }, condition }: CompiledRule,
  { evidence, claim }: ProvenItem,
  artifact: PolicyArtifact,
): { readonly detail: string; readonly unknown: boolean } | undefined {
  if (demand.kind === 'signature') {
    const wrong = [...demand.annotations].find(
      ([name, value]) => !Object.hasOwn(evidence.annotations, name) || evidence.annotations[name] !== value,
    )
    return wrong === undefined ? undefined : { detail: `it does not carry the annotation ${wrong[0]}=${wrong[1]}`, unknown: false }
  }
  if (condition === undefined || claim.kind !== 'attestation') return undefined
  if (claim.predicate === undefined) return { detail: 'it has no predicate', unknown: false }
  const result = condition({ predicate: claim.predicate, artifact: artifactInput(artifact) })
  return result.kind === 'holds' ? undefined : { detail: result.detail, unknown: result.kind === 'unknown' }
}

/** `artifact` of a condition: its kind, digests and name, as the caller gave them. */
function artifactInput(artifact: PolicyArtifact): JsonValue {
  const mediaType = artifact.mediaType ?? ''
  if (artifact.kind === 'file') return { kind: 'file', path: artifact.path, digests: [...artifact.digests], mediaType }
  const { place, tag = '' } = artifact.reference
  const [registry, repository] = place.kind === 'registry' ? [place.registry, place.repository] : ['', '']
  return {
    kind: 'image',
    reference: formatReference(artifact.reference),
    registry,
    repository,
    tag,
    digests: [...artifact.digests],
    mediaType,
  }
}
