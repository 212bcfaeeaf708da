/**
 * Whether those who signed are those who must have: `k of n`, nested, each signer used once.
 *
 * Counts distinct signers over any mixture of bundles, legacy signatures and keys: an envelope more of the same key is nothing more. A signer
 * who fits several places fills one of them, so the places are assigned by a search, bounded in steps.
 */
import type { CompiledIdentity, CompiledParty } from './compile.ts'

/**
 * A signer, and as which identities of the policy its signatures count. Candidates that share a token are one signer (a key and a certificate
 * for it) and never count both. Not joined into one: a signature that is added would then turn two signers, each known by one of its tokens,
 * into a single one, and allow into deny.
 */
export type QuorumCandidate = {
  readonly signer: string
  readonly tokens: readonly string[]
  readonly identities: ReadonlySet<CompiledIdentity>
}

/** What a quorum came to. `signers` fill it, or as much of it as can be filled. */
export type QuorumResult = {
  readonly kind: 'reached' | 'not_reached' | 'too_many_ways'
  readonly signers: readonly string[]
  readonly needed: number
}

type Group = Extract<CompiledParty, { kind: 'group' }>
type Use = { readonly signer: string; readonly roles: readonly string[] }
type Search = { readonly candidates: readonly QuorumCandidate[]; readonly used: Set<string>; readonly uses: Use[]; steps: number }

const maxSteps = 200_000

/** Judges a party. The more candidates, the more is reached; which order they come in decides nothing. */
export function judgeQuorum(party: CompiledParty, candidates: readonly QuorumCandidate[]): QuorumResult {
  const needed = party.kind === 'group' ? party.threshold : 1
  // One budget over all attempts: what is asked for first, then what would have been reached.
  const search: Search = { candidates, used: new Set(), uses: [], steps: maxSteps }
  for (let threshold = needed; threshold > 0; threshold--) {
    const wanted = party.kind === 'group' ? { ...party, threshold, roles: threshold === needed ? party.roles : [] } : party
    // What could not be filled has undone its uses.
    const done = enter(search, wanted, [], () => true)
    const signers = search.uses.map(({ signer }) => signer)
    if (search.steps < 0) return { kind: threshold === needed ? 'too_many_ways' : 'not_reached', signers: [], needed }
    if (done) return { kind: threshold === needed ? 'reached' : 'not_reached', signers, needed }
  }
  return { kind: 'not_reached', signers: [], needed }
}

/** Fills one party and goes on; undoes and tries the next way when the rest cannot be filled. */
function enter(search: Search, party: CompiledParty, scopes: readonly Group[], next: () => boolean): boolean {
  return party.kind === 'identity' ? enterIdentity(search, party.identity, scopes, 0, next) : enterGroup(search, party, scopes, next)
}

function enterIdentity(
  search: Search,
  identity: CompiledIdentity,
  scopes: readonly Group[],
  from: number,
  next: (after: number) => boolean,
): boolean {
  for (let i = from; i < search.candidates.length; i++) {
    const candidate = search.candidates[i]
    if (candidate === undefined || !candidate.identities.has(identity)) continue
    for (const tokens of waysToUse(candidate, identity, scopes)) {
      search.steps -= 1
      if (search.steps < 0) return false
      if (tokens.some((token) => search.used.has(token))) continue
      tokens.forEach((token) => search.used.add(token))
      search.uses.push({ signer: candidate.signer, roles: identity.roles })
      if (next(i + 1)) return true
      search.uses.pop()
      tokens.forEach((token) => search.used.delete(token))
    }
  }
  return false
}

function enterGroup(search: Search, group: Group, scopes: readonly Group[], next: () => boolean): boolean {
  const inner = [...scopes, group]
  const mark = search.uses.length
  if (atMost(search, group) < group.threshold) return false
  const bounds = group.of.map((party) => atMost(search, party))
  const choose = (i: number, missing: number, from: number): boolean => {
    search.steps -= 1
    if (search.steps < 0) return false
    if (missing === 0) return fillsRoles(group.roles, search.uses.slice(mark)) && next()
    const party = group.of[i]
    if (party === undefined || bounds.slice(i).reduce((sum, bound) => sum + bound, 0) < missing) return false
    const taken =
      party.kind === 'identity'
        ? // A pattern may stand for several signers: the same place again, for those after this one.
          enterIdentity(search, party.identity, inner, from, (after) =>
            party.identity.open ? choose(i, missing - 1, after) : choose(i + 1, missing - 1, 0),
          )
        : enter(search, party, inner, () => choose(i + 1, missing - 1, 0))
    return taken || choose(i + 1, missing, 0)
  }
  return choose(0, group.threshold, 0)
}

/** What must be free for a signer to count as an identity, in each way that there is: one for every role where roles must differ. */
function* waysToUse(candidate: QuorumCandidate, identity: CompiledIdentity, scopes: readonly Group[]): Generator<readonly string[]> {
  const person = identity.person ?? candidate.signer
  const base = candidate.tokens.map((token) => `signer ${token}`)
  // Two keys of one identity are that identity once; a pattern stands for as many as fit it.
  if (!identity.open) base.push(`identity ${identity.name}`)
  for (const { path, distinct } of scopes) if (distinct !== 'identity') base.push(`person ${path} ${person}`)
  const byRole = scopes.filter(({ distinct }) => distinct === 'role')
  if (byRole.length === 0) yield base
  else for (const role of identity.roles) yield [...base, ...byRole.map(({ path }) => `role ${path} ${role}`)]
}

/** Whether every role that the group names is filled by another of its signers. */
function fillsRoles(roles: readonly string[], uses: readonly Use[]): boolean {
  const [role, ...rest] = roles
  if (role === undefined) return true
  return uses.some((use, index) => use.roles.includes(role) && fillsRoles(rest, uses.toSpliced(index, 1)))
}

/** Upper bound of what a party can contribute, for cutting off: cheap, never too small. */
function atMost(search: Search, party: CompiledParty): number {
  if (party.kind === 'identity') {
    const fitting = search.candidates.filter(({ identities }) => identities.has(party.identity)).length
    return party.identity.open ? fitting : Math.min(1, fitting)
  }
  return Math.min(
    party.of.reduce(
      (sum, each) => sum + (each.kind === 'group' ? Number(atMost(search, each) >= each.threshold) : atMost(search, each)),
      0,
    ),
    distinctPersons(search, party),
  )
}

function distinctPersons({ candidates }: Search, group: Group): number {
  const inside = new Set(leaves(group))
  const persons = candidates.flatMap(({ signer, identities }) =>
    [...identities]
      .filter((identity) => inside.has(identity))
      .map((identity) => (group.distinct === 'identity' ? signer : (identity.person ?? signer))),
  )
  return new Set(persons).size
}

function leaves(party: CompiledParty): readonly CompiledIdentity[] {
  return party.kind === 'identity' ? [party.identity] : party.of.flatMap(leaves)
}
