/** A policy as exports see it: for each rule the images, the signers and whether it denies, and what no other tool can say, listed. */
import type { CompiledIdentity, CompiledParty, CompiledPolicy, CompiledRule } from '../policy/compile.ts'
import type { PolicyRule, TermsDemand } from '../policy/model.ts'
import type { LossLog } from './losses.ts'

/** One rule that another tool can say, at least in part. */
export type ExportRule = {
  readonly name: string
  readonly path: string
  readonly images: readonly string[]
  readonly demand: Exclude<PolicyRule['demand'], { kind: 'platforms' }>
  readonly party: CompiledParty
  /** False: what is missing or fails is a warning alone. */
  readonly denies: boolean
  /** A log entry is demanded, by the rule or since all its signers have certificates of Fulcio. */
  readonly logged: boolean
}

/** The rules, with what is lost wherever they go. `binds`: the name that a signature carries is compared there. */
export function exportRules(compiled: CompiledPolicy, log: LossLog, binds: boolean): readonly ExportRule[] {
  const { policy } = compiled
  if (policy.match.files.length > 0) log.note('$.match.files', 'images alone are judged there')
  if (policy.match.mediaTypes.length > 0) log.weaker('$.match.mediaTypes', 'the media type of an image is not looked at there')
  for (const source of policy.revocations) log.weaker(source.path, 'there are no lists of revocations there')
  return compiled.rules.flatMap((rule) => exportRule(compiled, rule, log, binds) ?? [])
}

function exportRule(compiled: CompiledPolicy, { rule, party }: CompiledRule, log: LossLog, binds: boolean): ExportRule | undefined {
  const { demand, onMissing, onFail, path, name } = rule
  const worst = onMissing === 'deny' || onFail === 'deny'
  if (demand.kind === 'platforms' || party === undefined) {
    if (worst) log.weaker(path, 'platforms are not demanded there')
    else log.note(path, 'platforms are not demanded there; here a lack of them is no refusal')
    return undefined
  }
  if (onMissing === 'allow' && onFail === 'allow') {
    log.stricter(path, 'the rule refuses nothing and is left out: images that it alone speaks of may be refused there')
    return undefined
  }
  if (onMissing !== onFail) {
    const mildest = onMissing === 'deny' ? 'onFail' : 'onMissing'
    if (worst) log.stricter(`${path}.${mildest}`, 'what is missing and what fails come to the same there: both are refused')
    else log.note(`${path}.${mildest}`, 'what is missing and what fails come to the same there: a warning')
  }
  const images = imagesOf(compiled, rule, log)
  if (images.length === 0) return undefined
  lostDemands(rule, demand, party, log)
  if (demand.kind === 'signature') lostTerms(`${path}.signature`, demand.terms, log, binds)
  const certified = leavesOf(party).every(({ needsAuthority }) => needsAuthority)
  return { name, path, images, demand, party, denies: worst, logged: demand.time.logged || certified }
}

function imagesOf({ policy }: CompiledPolicy, { match, path }: PolicyRule, log: LossLog): readonly string[] {
  if (match === undefined) return policy.match.images.length === 0 && policy.match.files.length === 0 ? ['**'] : policy.match.images
  if (match.mediaTypes.length > 0) {
    if (match.images.length === 0) log.stricter(`${path}.match.mediaTypes`, 'the rule holds for images of every media type there')
    else log.stricter(`${path}.match.mediaTypes`, 'the media type of an image is not looked at there')
  }
  const images = match.images.length === 0 && match.files.length === 0 ? policy.match.images : match.images
  for (const glob of images) {
    if (policy.match.images.length > 0 && !policy.match.images.some((outer) => isInside(glob, outer)))
      log.stricter(`${path}.match.images`, `${glob} may hold images that the policy does not speak of; there the rule is for all of them`)
  }
  return images
}

/** Whether every name of a glob fits another, as far as their texts tell. */
function isInside(inner: string, outer: string): boolean {
  if (inner === outer || outer === '**') return true
  return outer.endsWith('/**') && !/[*?]/.test(outer.slice(0, -3)) && inner.startsWith(outer.slice(0, -2))
}

function lostDemands({ path }: PolicyRule, demand: ExportRule['demand'], party: CompiledParty, log: LossLog): void {
  const { time } = demand
  const place = `${path}.${demand.kind}`
  const leaves = leavesOf(party)
  const certified = leaves.every(({ needsAuthority }) => needsAuthority)
  if (time.required && !certified) log.weaker(`${place}.time`, 'a proven time is not demanded of keys there')
  for (const [name, value] of [
    ['before', time.beforeMs],
    ['after', time.afterMs],
    ['maxAge', time.maxAgeMs],
  ] as const)
    if (value !== undefined) log.weaker(`${place}.${name}`, 'when it was signed is not compared there')
  if (demand.kind === 'attestation' && demand.newest) log.weaker(`${place}.newest`, 'an older attestation that holds suffices there')
  for (const extra of Object.keys(demand)) {
    if (!known.has(extra)) log.weaker(`${place}.${extra}`, 'has no counterpart there')
  }
  if (isApart(party, leaves)) return
  log.weaker(`${place}.by`, 'signers are not told apart there: one may be counted in two places')
}

const known: ReadonlySet<string> = new Set(['kind', 'by', 'annotations', 'time', 'terms', 'predicateType', 'condition', 'newest'])

function lostTerms(place: string, { expires, maxLifetimeMs, boundName }: TermsDemand, log: LossLog, binds: boolean): void {
  if (expires)
    log.weaker(`${place}.${maxLifetimeMs === undefined ? 'expires' : 'maxLifetime'}`, 'when a signature expires is not looked at there')
  if (boundName && !binds) log.weaker(`${place}.boundName`, 'the name that a signature is bound to is not compared there')
}

/** The identities of a party, each as often as it is named. */
export function leavesOf(party: CompiledParty): readonly CompiledIdentity[] {
  return party.kind === 'identity' ? [party.identity] : party.of.flatMap(leavesOf)
}

/**
 * Whether it changes nothing that another tool checks places one after the other: every signer fits one place alone, and people and roles
 * are demanded nowhere, or cannot coincide.
 */
function isApart(party: CompiledParty, leaves: readonly CompiledIdentity[]): boolean {
  const groups = groupsOf(party)
  if (groups.every(({ threshold }) => threshold === 1) && groups.every(({ roles }) => roles.length === 0)) return true
  if (groups.some(({ roles, distinct }) => roles.length > 0 || distinct === 'role')) return false
  if (groups.some(({ threshold, of }) => threshold > of.length)) return false
  if (groups.some(({ distinct }) => distinct === 'person') && new Set(leaves.map(({ person }) => person)).size < leaves.length) return false
  const open = leaves.filter(({ keys }) => keys.length === 0)
  const fingerprints = leaves.flatMap(({ keys }) => keys.map(({ key }) => key.spki.join()))
  if (new Set(leaves).size < leaves.length || new Set(fingerprints).size < fingerprints.length) return false
  // Two names may be one signer's, unless both say exactly who.
  return open.length <= 1 || open.every((identity) => !identity.open)
}

function groupsOf(party: CompiledParty): readonly Extract<CompiledParty, { kind: 'group' }>[] {
  return party.kind === 'identity' ? [] : [party, ...party.of.flatMap(groupsOf)]
}

const maxClauses = 64

/** A party as "one of these, and one of those": what tools without thresholds can say. `undefined` when that takes too many. */
export function clausesOf(party: CompiledParty): readonly (readonly CompiledIdentity[])[] | undefined {
  if (party.kind === 'identity') return [[party.identity]]
  const parts = party.of.map(clausesOf)
  if (parts.some((part) => part === undefined)) return undefined
  const size = party.of.length - party.threshold + 1
  if (size < 1) return undefined
  // k of n: of every n-k+1 of them, one.
  let clauses: (readonly CompiledIdentity[])[] = []
  for (const chosen of subsets(parts as (readonly (readonly CompiledIdentity[])[])[], size)) {
    clauses = [...clauses, ...product(chosen)]
    if (clauses.length > maxClauses) return undefined
  }
  return clauses
}

/** "This or that", where each is "one of these, and one of those", as the same form. */
function product(parts: readonly (readonly (readonly CompiledIdentity[])[])[]): (readonly CompiledIdentity[])[] {
  return parts.reduce<(readonly CompiledIdentity[])[]>(
    (left, right) => left.flatMap((a) => right.map((b) => [...new Set([...a, ...b])])).slice(0, maxClauses + 1),
    [[]],
  )
}

function* subsets<T>(all: readonly T[], size: number, from = 0): Generator<readonly T[]> {
  if (size === 0) yield []
  else for (let i = from; i <= all.length - size; i++) for (const rest of subsets(all, size - 1, i + 1)) yield [all[i] as T, ...rest]
}
