/** One rule over all evidence: what counts, who is still missing, and what that comes to. */
import type { FailureCode } from '../failure.ts'
import { isPlatform } from '../oci/platform.ts'
import type { CompiledIdentity, CompiledParty, CompiledRule } from './compile.ts'
import { countItem, type Counted, type Surroundings } from './count.ts'
import { gravest, type ItemReport, type RuleReport } from './verdict.ts'
import { partyText, termsDemandText, timeDemandText } from './words.ts'
import { judgeQuorum, type QuorumCandidate } from './quorum.ts'
import { signerText, type ProvenItem } from './proven.ts'

/** Judges one rule. `open` is why evidence may be missing that exists. */
export function judgeRule(
  compiled: CompiledRule,
  around: Surroundings & { readonly items: readonly ProvenItem[]; readonly open: FailureCode | undefined },
): RuleReport {
  const { rule, party } = compiled
  const nothing = { rule: rule.name, looked: [] }
  if (!compiled.matches(around.artifact))
    return { ...nothing, outcome: 'does_not_apply', decision: 'allow', detail: 'does not speak of this artifact' }
  if (rule.demand.kind === 'platforms' || party === undefined) return judgePlatforms(compiled, around)
  const counted = countAll(compiled, around)
  const looked = counted.map(report)
  const present = counted.some(({ status }) => status !== 'stranger')
  const wanted = wantedText(compiled, party)
  const clean = judgeQuorum(party, candidates(counted, ['counts']))
  const all = clean.kind === 'reached' ? clean : judgeQuorum(party, candidates(counted, ['counts', 'counts_revoked']))
  const quorum = { signers: all.signers, needed: all.needed }
  const base = { rule: rule.name, looked, quorum }
  if (clean.kind === 'reached') return { ...base, outcome: 'satisfied', decision: 'allow', detail: `signed by ${clean.signers.join(', ')}` }
  if (all.kind === 'reached') {
    return { ...base, outcome: 'satisfied', decision: 'warn', detail: 'satisfied only with signatures that a revocation warns of' }
  }
  const open = all.kind === 'too_many_ways' || counted.some(({ status }) => status === 'could_not_tell') ? 'limit_exceeded' : around.open
  if (open !== undefined) {
    // Whatever a rule makes of what is missing or wrong, not knowing never passes in silence.
    const decision = gravest([rule.onMissing, rule.onFail, 'warn'])
    return { ...base, outcome: 'could_not_tell', decision, code: open, detail: `could not tell: ${open}`, wanted }
  }
  if (!present) return { ...base, outcome: 'missing', decision: rule.onMissing, detail: missingText(compiled), wanted }
  const detail = `${all.signers.length} of ${all.needed} that must have signed count`
  return { ...base, outcome: 'failed', decision: rule.onFail, detail, wanted }
}

function judgePlatforms({ rule }: CompiledRule, { artifact }: Surroundings): RuleReport {
  const wanted = rule.demand.kind === 'platforms' ? rule.demand.platforms : []
  const found = artifact.kind === 'image' ? artifact.platforms : undefined
  const base = { rule: rule.name, looked: [] }
  const wantedText = `an index with ${wanted.join(', ')}`
  if (found === undefined) {
    const decision = gravest([rule.onMissing, rule.onFail, 'warn'])
    const detail = 'the platforms of the artifact are not known'
    return { ...base, outcome: 'could_not_tell', decision, code: 'policy_input_missing', detail, wanted: wantedText }
  }
  const lacking = wanted.filter((named) => !found.some((platform) => isPlatform(platform, named)))
  if (lacking.length === 0) return { ...base, outcome: 'satisfied', decision: 'allow', detail: `has ${wanted.join(', ')}` }
  return { ...base, outcome: 'failed', decision: rule.onFail, detail: `lacks ${lacking.join(', ')}`, wanted: wantedText }
}

/** Everything of the rule's kind; where only the newest of each signer counts, older ones are left out before their content is looked at. */
function countAll(compiled: CompiledRule, around: Surroundings & { readonly items: readonly ProvenItem[] }): readonly Counted[] {
  const { demand } = compiled.rule
  const kind = around.items.filter(({ claim }) =>
    claim.kind === 'attestation'
      ? demand.kind === 'attestation' && claim.predicateType === demand.predicateType
      : demand.kind === 'signature',
  )
  const newest = new Map<string, number>()
  const only = demand.kind === 'attestation' && demand.newest
  if (only) {
    for (const item of kind) {
      const { status } = countItem(compiled, item, { ...around, contentToo: false })
      if ((status !== 'counts' && status !== 'counts_revoked') || item.signedMs === undefined) continue
      newest.set(item.signer, Math.max(newest.get(item.signer) ?? item.signedMs, item.signedMs))
    }
  }
  return kind.map((item) => {
    const counted = countItem(compiled, item, { ...around, contentToo: true })
    if (!only || counted.status === 'stranger' || (item.signedMs !== undefined && item.signedMs === newest.get(item.signer))) return counted
    return {
      ...counted,
      status: 'does_not_count',
      detail: item.signedMs === undefined ? 'nothing proves when it was made' : 'a newer one of the same signer is there',
    }
  })
}

function candidates(counted: readonly Counted[], statuses: readonly Counted['status'][]): readonly QuorumCandidate[] {
  const counting = counted.filter(({ status }) => statuses.includes(status))
  const shared = tokensOfSeveral(counting)
  const known = new Map<
    string,
    { readonly signer: string; readonly tokens: readonly string[]; readonly identities: Set<CompiledIdentity> }
  >()
  for (const { item, identities } of counting) {
    // A signer's short-lived certificates have a key each. One that no other signer has makes no difference, and many would make the search long.
    const tokens = [item.signer, ...item.tokens.filter((token) => shared.has(token))]
    const key = tokens.join('\n')
    const candidate = known.get(key) ?? { signer: item.signer, tokens, identities: new Set() }
    for (const identity of identities) candidate.identities.add(identity)
    known.set(key, candidate)
  }
  return [...known.values()]
}

/** Tokens that occur with more than one signer. */
function tokensOfSeveral(counted: readonly Counted[]): ReadonlySet<string> {
  const signerOf = new Map<string, string>()
  const shared = new Set<string>()
  for (const { item } of counted) {
    for (const token of item.tokens) {
      const other = signerOf.get(token)
      if (other === undefined) signerOf.set(token, item.signer)
      else if (other !== item.signer) shared.add(token)
    }
  }
  return shared
}

function report({ item, status, identities, detail }: Counted): ItemReport {
  return {
    source: item.source,
    signer: signerText(item.evidence.signer),
    status: status === 'stranger' ? 'does_not_count' : status,
    identities: identities.map(({ name }) => name),
    ...(detail === undefined ? {} : { detail }),
  }
}

function missingText({ rule: { demand } }: CompiledRule): string {
  return demand.kind === 'attestation'
    ? `no attestation of type ${demand.predicateType} by those who must have made it`
    : 'no signature by those who must have signed'
}

function wantedText({ rule: { demand } }: CompiledRule, party: CompiledParty): string {
  if (demand.kind === 'platforms') return ''
  const what = demand.kind === 'attestation' ? `an attestation of type ${demand.predicateType}` : 'a signature'
  const condition = demand.kind === 'attestation' && demand.condition !== undefined ? `, for which ${demand.condition}` : ''
  return `${what} by ${partyText(party)}${timeDemandText(demand.time)}${demand.kind === 'signature' ? termsDemandText(demand.terms) : ''}${condition}`
}
