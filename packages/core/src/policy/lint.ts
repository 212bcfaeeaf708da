/** What is suspicious in a policy that is well formed: what accepts everybody, can never be satisfied, or demands nothing. */
import { strangerNames } from '../verify/identity.ts'
import { timeText } from '../verify/time.ts'
import type { CompiledIdentity, CompiledParty, CompiledPolicy, CompiledRule } from './compile.ts'
import type { Condition } from './condition.ts'
import type { ArtifactMatch, PolicyIdentity, TimeDemand } from './model.ts'
import { judgeQuorum, type QuorumCandidate } from './quorum.ts'
import { gravest } from './verdict.ts'

/** One finding, with the place in the document. */
export type PolicyFinding = {
  readonly finding:
    | 'accepts_everybody'
    | 'key_expired'
    | 'never_satisfied'
    | 'never_denies'
    | 'condition_without_input'
    | 'matches_nothing'
    | 'unmatched_allowed'
    | 'identity_unused'
    | 'name_open_ended'
    | 'condition_vacuous'
    | 'missing_passes'
    | 'rule_repeated'
    | 'mirrors_unused'
  readonly path: string
  readonly detail: string
}

/** Looks for all of it. Sound rather than complete: what is found is so; what is not found may be. `nowMs` is the clock, Unix milliseconds. */
export function lintPolicy(compiled: CompiledPolicy, nowMs: number): readonly PolicyFinding[] {
  const { policy, rules } = compiled
  const findings: PolicyFinding[] = []
  const found = (finding: PolicyFinding['finding'], path: string, detail: string): void => void findings.push({ finding, path, detail })
  if (policy.unmatched === 'allow')
    found('unmatched_allowed', '$.match.unmatched', 'every artifact that the policy does not speak of is allowed')
  if (policy.mirrors.length > 0 && !rules.some(({ rule: { demand } }) => demand.kind === 'signature' && demand.terms.boundName))
    found('mirrors_unused', '$.mirrors', 'no rule asks for a bound name, so that every name is accepted')
  lintIdentities(compiled, nowMs, found)
  for (const glob of policy.match.images) lintGlob(glob, '$.match.images', found)
  for (const [index, rule] of rules.entries()) {
    lintRule(compiled, rule, nowMs, found)
    const same = rules.slice(0, index).find((other) => JSON.stringify(plain(other.rule)) === JSON.stringify(plain(rule.rule)))
    if (same !== undefined) found('rule_repeated', rule.rule.path, `it demands what rule ${same.rule.name} demands`)
  }
  return findings
}

type Found = (finding: PolicyFinding['finding'], path: string, detail: string) => void

function lintIdentities({ policy, rules, identities }: CompiledPolicy, nowMs: number, found: Found): void {
  const used = new Set(rules.flatMap((rule) => rule.identities))
  for (const identity of identities) {
    const told = policy.identities.get(identity.name)
    if (told === undefined) continue
    if (!used.has(identity)) found('identity_unused', told.path, 'no rule names it')
    const anybody = acceptsAnybody(told, identity)
    if (anybody) found('accepts_everybody', told.path, acceptsAnybodyText(told))
    else for (const { which, detail } of openNames(told)) found('name_open_ended', `${told.path}.${told.signer.kind}.${which}`, detail)
    for (const { path, end } of windowsOf(told)) {
      if (end <= nowMs) found('key_expired', path, `signatures count until ${timeText(end)} only`)
    }
  }
}

function lintRule({ policy }: CompiledPolicy, { rule, party, condition }: CompiledRule, nowMs: number, found: Found): void {
  const { demand, match, path, onMissing, onFail } = rule
  if (onMissing === 'allow' && onFail === 'allow') found('never_denies', path, 'it allows what is missing and what fails')
  else if (demand.kind !== 'platforms' && onMissing !== onFail && gravest([onMissing, onFail]) === onFail)
    found('missing_passes', path, 'whoever can delete what is signed turns what fails into what is missing, which comes to less')
  if (match !== undefined) {
    if (isApart(policy.match, match)) found('matches_nothing', `${path}.match`, 'the policy speaks of none of these artifacts')
    for (const glob of match.images) lintGlob(glob, `${path}.match.images`, found)
  }
  if (condition !== undefined && demand.kind === 'attestation')
    lintCondition(demand.condition ?? '', condition, `${path}.attestation.condition`, found)
  if (party !== undefined && !canBeReached(party, policy.identities, nowMs)) {
    found('never_satisfied', path, 'even if everybody whose key is valid now signs, too few count')
  }
  if (demand.kind !== 'platforms' && isPast(demand.time, nowMs))
    found('never_satisfied', path, 'what was signed before the moment that it names is older than it accepts')
}

/** A signature must be younger than `maxAge` and older than `before`. */
function isPast({ beforeMs, maxAgeMs }: TimeDemand, nowMs: number): boolean {
  return beforeMs !== undefined && maxAgeMs !== undefined && beforeMs <= nowMs - maxAgeMs
}

function lintCondition(text: string, condition: Condition, path: string, found: Found): void {
  if (!/\b(?:predicate|artifact)\b/.test(text)) return found('condition_without_input', path, 'it is the same for every attestation')
  if (condition({ predicate: {}, artifact: {} }).kind === 'holds')
    found('condition_vacuous', path, 'it holds for a predicate with nothing in it')
  else if (/\.all\(/.test(text) && !/\bsize\(|\.exists|\.exists_one/.test(text))
    found('condition_vacuous', path, 'all() holds for an empty list: ask for its size() too')
}

/** Parts of references are lower-case, without scheme or digest: such a glob fits none. */
function lintGlob(glob: string, path: string, found: Found): void {
  const place = glob.lastIndexOf(':') > glob.lastIndexOf('/') ? glob.slice(0, glob.lastIndexOf(':')) : glob
  if (/[A-Z@ ]|:\/\/|\/\/|^\/|\/$/.test(place)) found('matches_nothing', path, `no reference of an image looks like ${glob}`)
}

function plain({ name: _name, path: _path, ...rest }: CompiledRule['rule']): unknown {
  return JSON.parse(JSON.stringify(rest, (key, value: unknown) => (key === 'path' ? undefined : value instanceof Map ? [...value] : value)))
}

/** Ends of a name that are open where an organization or host goes on: `…/acme*` is also `…/acme-evil`. Tags and branches may be. */
function openNames({ signer }: PolicyIdentity): readonly { readonly which: string; readonly detail: string }[] {
  if (signer.kind === 'keys') return []
  const names = { issuer: signer.kind === 'certificate' ? signer.issuer : undefined, subject: signer.subject }
  return (['issuer', 'subject'] as const).flatMap((which) => {
    const match = names[which]
    if (match === undefined || match.kind === 'exact') return []
    const { value } = match
    const anything = match.kind === 'glob' ? String.raw`\*+` : String.raw`(?:\(\?s:\.\*\)|\.[*+])`
    const front = new RegExp(`^${anything}(?!@)`).test(value)
    const back = new RegExp(`^[^@]*[\\w-]${anything}$`).test(value)
    const dot = match.kind === 'pattern' && /\w(?<!\\\w)\.(?:com|org|net|io|dev|example)\b/.test(value)
    return [
      ...(front ? [{ which, detail: `whatever ends like ${value} is accepted` }] : []),
      ...(back ? [{ which, detail: `names that merely begin like ${value} are accepted; end it with a slash` }] : []),
      ...(dot ? [{ which, detail: `a dot of ${value} stands for any character; write \\.` }] : []),
    ]
  })
}

function acceptsAnybodyText({ signer }: PolicyIdentity): string {
  return signer.kind === 'x509'
    ? 'it is whoever has a certificate of these authorities: it proves nothing about who signed'
    : 'issuer or subject matches every name: it proves nothing about who signed'
}

function acceptsAnybody({ signer }: PolicyIdentity, { names, authority }: CompiledIdentity): boolean {
  if (signer.kind === 'certificate')
    return names !== undefined && [names.issuer, names.subject].some((accepts) => strangerNames.every(accepts))
  if (signer.kind !== 'x509' || authority === undefined) return false
  // The issuer of a certificate says nothing about whose it is.
  if (signer.subject === undefined && signer.commonName === undefined) return true
  const issuer = signer.issuer?.kind === 'exact' ? signer.issuer.value : 'CN=x'
  return strangerNames.every((name) => authority.accepts({ issuer, commonName: name, alternativeNames: [name] }))
}

function windowsOf({ signer, path }: PolicyIdentity): readonly { readonly path: string; readonly end: number }[] {
  const windows =
    signer.kind === 'keys' ? signer.keys.map((key) => ({ path: key.path, end: key.validFor?.end })) : [{ path, end: signer.validFor?.end }]
  return windows.flatMap(({ path, end }) => (end === undefined ? [] : [{ path, end }]))
}

/** Signs with everybody whose window has not ended, a pattern with as many signers as could be asked for. */
function canBeReached(party: CompiledParty, told: ReadonlyMap<string, PolicyIdentity>, nowMs: number): boolean {
  const candidates: QuorumCandidate[] = []
  for (const identity of new Set(leavesOf(party))) {
    const document = told.get(identity.name)
    if (document === undefined || isOver(document, nowMs)) continue
    for (let i = 0; i < (identity.open ? most : 1); i++)
      candidates.push({ signer: `${identity.name} ${i}`, tokens: [`${identity.name} ${i}`], identities: new Set([identity]) })
  }
  return judgeQuorum(party, candidates).kind !== 'not_reached'
}

const most = 64

function isOver({ signer }: PolicyIdentity, nowMs: number): boolean {
  const windows = signer.kind === 'keys' ? signer.keys.map(({ validFor }) => validFor) : [signer.validFor]
  return windows.every((window) => window?.end !== undefined && window.end <= nowMs)
}

function leavesOf(party: CompiledParty): readonly CompiledIdentity[] {
  return party.kind === 'identity' ? [party.identity] : party.of.flatMap(leavesOf)
}

/** Whether no name can satisfy both, as far as their literal beginnings tell. */
function isApart(policy: ArtifactMatch, rule: ArtifactMatch): boolean {
  const typed = policy.mediaTypes.length > 0 && rule.mediaTypes.length > 0
  if (typed && !rule.mediaTypes.some((type) => policy.mediaTypes.includes(type))) return true
  if (policy.images.length + policy.files.length === 0 || rule.images.length + rule.files.length === 0) return false
  const pairs = [
    ...policy.images.flatMap((one) => rule.images.map((other) => [one, other] as const)),
    ...policy.files.flatMap((one) => rule.files.map((other) => [one, other] as const)),
  ]
  return pairs.every(([one, other]) => {
    const [a, b] = [beginning(one), beginning(other)]
    return !a.startsWith(b) && !b.startsWith(a)
  })
}

/** A glob without registry is another spelling of one of Docker Hub: nothing is said of those. */
function beginning(glob: string): string {
  return /^[^/]*[.:][^/]*\/|^localhost\//.test(glob) ? (/^[^*?:]*/.exec(glob)?.[0] ?? '') : ''
}
