/** What is suspicious in a policy that is well formed: what accepts everybody, can never be satisfied, or demands nothing. */
import { compileGlob } from '../glob.ts'
import type { NameMatch } from '../verify/policy.ts'
import { timeText } from '../verify/time.ts'
import type { CompiledIdentity, CompiledParty, CompiledPolicy } from './compile.ts'
import type { ArtifactMatch, PolicyIdentity } from './model.ts'
import { judgeQuorum, type QuorumCandidate } from './quorum.ts'

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
    | 'mirrors_unused'
  readonly path: string
  readonly detail: string
}

/** Looks for all of it. Sound rather than complete: what is found is so; what is not found may be. `nowMs` is the clock, Unix milliseconds. */
export function lintPolicy(compiled: CompiledPolicy, nowMs: number): readonly PolicyFinding[] {
  const { policy, rules, identities } = compiled
  const findings: PolicyFinding[] = []
  const found = (finding: PolicyFinding['finding'], path: string, detail: string): void => void findings.push({ finding, path, detail })
  if (policy.unmatched === 'allow')
    found('unmatched_allowed', '$.match.unmatched', 'every artifact that the policy does not speak of is allowed')
  if (policy.mirrors.length > 0 && !rules.some(({ rule: { demand } }) => demand.kind === 'signature' && demand.terms.boundName))
    found('mirrors_unused', '$.mirrors', 'no rule asks for a bound name, so that every name is accepted')
  const used = new Set(rules.flatMap((rule) => rule.identities))
  for (const identity of identities) {
    const told = policy.identities.get(identity.name)
    if (told === undefined) continue
    if (!used.has(identity)) found('identity_unused', told.path, 'no rule names it')
    if (acceptsAnybody(told)) found('accepts_everybody', told.path, acceptsAnybodyText(told))
    for (const { path, end } of windowsOf(told)) {
      if (end <= nowMs) found('key_expired', path, `signatures count until ${timeText(end)} only`)
    }
  }
  for (const { rule, party, condition } of rules) {
    if (rule.onMissing === 'allow' && rule.onFail === 'allow') found('never_denies', rule.path, 'it allows what is missing and what fails')
    if (rule.match !== undefined && isApart(policy.match, rule.match))
      found('matches_nothing', `${rule.path}.match`, 'the policy speaks of none of these artifacts')
    if (condition !== undefined && rule.demand.kind === 'attestation' && !/\b(?:predicate|artifact)\b/.test(rule.demand.condition ?? '')) {
      found('condition_without_input', `${rule.path}.attestation.condition`, 'it is the same for every attestation')
    }
    if (party !== undefined && !canBeReached(party, policy.identities, nowMs)) {
      found('never_satisfied', rule.path, 'even if everybody whose key is valid now signs, too few count')
    }
  }
  return findings
}

function acceptsAnybodyText({ signer }: PolicyIdentity): string {
  return signer.kind === 'x509'
    ? 'it is whoever has a certificate of these authorities: it proves nothing about who signed'
    : 'issuer or subject matches every name: it proves nothing about who signed'
}

/** Names that no identity that means somebody has in common. */
const strangers = ['x', 'https://stranger.example/a/b.yml@refs/heads/main', 'somebody@stranger.example', 'https://other.example']

function acceptsAnybody({ signer }: PolicyIdentity): boolean {
  if (signer.kind === 'keys') return false
  if (signer.kind === 'certificate') return [signer.issuer, signer.subject].some(acceptsAnyName)
  // The issuer of a certificate says nothing about whose it is.
  return [signer.subject, signer.commonName].every((match) => match === undefined || acceptsAnyName(match))
}

function acceptsAnyName(match: NameMatch): boolean {
  if (match.kind === 'glob') return strangers.every(compileGlob(match.value))
  return match.kind === 'pattern' && /^\^?(?:\((?:\?:)?)?\.[*+]\)?\$?$/.test(match.value)
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
