/** A policy in words for people: of what it speaks, who must sign what, when that counts, and what happens otherwise. */
import { unreachable } from '../failure.ts'
import type { TimeRange } from '../trust/model.ts'
import { timeText } from '../verify/time.ts'
import type { NameMatch } from '../verify/policy.ts'
import type { CompiledPolicy } from './compile.ts'
import { extensionArcs } from './extensions.ts'
import type { PolicyArtifact } from './match.ts'
import type {
  ArtifactMatch,
  Decision,
  Party,
  PolicyIdentity,
  PolicyKey,
  PolicyRule,
  RevocationSource,
  TermsDemand,
  TimeDemand,
} from './model.ts'

/** One rule in words. `applies` is absent where no artifact was named. */
export type ExplainedRule = {
  readonly rule: string
  readonly about?: string
  readonly demand: string
  /** Who is meant by each name in the demand. */
  readonly identities: readonly { readonly name: string; readonly who: string }[]
  readonly otherwise: string
  readonly applies?: boolean
}

/** The whole policy in words. */
export type ExplainedPolicy = {
  readonly policy: string
  readonly about: string
  readonly unmatched: string
  readonly rules: readonly ExplainedRule[]
  readonly revocations: readonly string[]
  readonly mirrors: readonly string[]
  /** Whether the policy speaks of the artifact that was named. */
  readonly applies?: boolean
}

/** Explains a policy, and with an artifact which of it applies there. */
export function explainPolicy(compiled: CompiledPolicy, artifact?: PolicyArtifact): ExplainedPolicy {
  const { policy, rules } = compiled
  const applies = artifact === undefined ? {} : { applies: compiled.matches(artifact) }
  return {
    policy: policy.name,
    about: matchText(policy.match),
    unmatched: `what it does not speak of is ${decided[policy.unmatched]}`,
    rules: rules.map(({ rule, matches }) => ({
      ...explainRule(rule, policy.identities),
      ...(artifact === undefined ? {} : { applies: compiled.matches(artifact) && matches(artifact) }),
    })),
    revocations: policy.revocations.map(revocationText),
    mirrors: policy.mirrors.map(({ from, to }) => `what is signed for ${starred(from)} may be used as ${starred(to)}`),
    ...applies,
  }
}

const decided: Readonly<Record<Decision, string>> = { allow: 'allowed', warn: 'allowed with a warning', deny: 'denied' }

function explainRule(rule: PolicyRule, identities: ReadonlyMap<string, PolicyIdentity>): ExplainedRule {
  const { name, match, demand, onMissing, onFail } = rule
  const about = match === undefined ? {} : { about: matchText(match) }
  if (demand.kind === 'platforms') {
    const otherwise = `if one is lacking, it is ${decided[onFail]}`
    return { rule: name, ...about, demand: `it has the platforms ${demand.platforms.join(', ')}`, identities: [], otherwise }
  }
  const otherwise =
    onMissing === onFail
      ? `otherwise it is ${decided[onFail]}`
      : `if nothing of theirs is there, it is ${decided[onMissing]}; if something is there and does not suffice, ${decided[onFail]}`
  return { rule: name, ...about, demand: demandText(demand), identities: namesIn(demand.by, identities), otherwise }
}

function demandText(demand: Exclude<PolicyRule['demand'], { kind: 'platforms' }>): string {
  const by = `by ${partyWords(demand.by)}`
  const when = whenText(demand.time)
  if (demand.kind === 'signature') {
    const annotations = [...demand.annotations].map(([name, value]) => `${name}=${value}`)
    return `it is signed ${by}${annotations.length === 0 ? '' : `, with ${annotations.join(', ')} in the signature`}${when}${termsText(demand.terms)}`
  }
  const condition = demand.condition === undefined ? '' : `, and ${demand.condition.trim()}`
  const newest = demand.newest ? '; only the newest of each signer counts' : ''
  return `an attestation of type ${demand.predicateType} is signed ${by}${when}${condition}${newest}`
}

function partyWords(party: Party): string {
  if (party.kind === 'identity') return party.name
  const { of, threshold, distinct, roles } = party
  const who = of.map(partyWords)
  const apart = distinct === 'identity' ? '' : distinct === 'person' ? ', different people' : ', different people in different roles'
  const filled = roles.length === 0 ? '' : `, who fill the roles ${roles.join(', ')}`
  const words =
    of.length === 1 && threshold === 1
      ? (who[0] ?? '')
      : threshold === of.length
        ? `each of ${who.join(', ')}`
        : threshold === 1
          ? `one of ${who.join(', ')}`
          : `${threshold} of ${who.join(', ')}`
  return `${party.of.some(({ kind }) => kind === 'group') ? `(${words})` : words}${apart}${filled}`
}

function whenText({ required, logged, beforeMs, afterMs, maxAgeMs }: TimeDemand): string {
  const parts = [
    logged ? 'in a log that is trusted' : '',
    required ? 'at a time that is proven' : '',
    beforeMs === undefined ? '' : `before ${timeText(beforeMs)}`,
    afterMs === undefined ? '' : `after ${timeText(afterMs)}`,
    maxAgeMs === undefined ? '' : `in the last ${spanText(maxAgeMs)}`,
  ].filter((part) => part !== '')
  return parts.length === 0 ? '' : `, ${parts.join(', ')}`
}

function termsText({ expires, maxLifetimeMs, boundName }: TermsDemand): string {
  const lifetime = maxLifetimeMs === undefined ? '' : ` at most ${spanText(maxLifetimeMs)} after it was made`
  return `${expires ? `, and expires${lifetime}` : ''}${boundName ? ', and bound to the name that the image has, or that a mirror has it from' : ''}`
}

function spanText(ms: number): string {
  const units = [
    ['days', 86_400_000],
    ['hours', 3_600_000],
    ['minutes', 60_000],
  ] as const
  const [name, unit] = units.find(([, each]) => ms % each === 0) ?? ['seconds', 1000]
  return `${ms / unit} ${ms === unit ? name.slice(0, -1) : name}`
}

function namesIn(party: Party, identities: ReadonlyMap<string, PolicyIdentity>): ExplainedRule['identities'] {
  const names = new Map<string, string>()
  const visit = (each: Party): void => {
    if (each.kind === 'group') return each.of.forEach(visit)
    const identity = identities.get(each.name)
    if (identity !== undefined) names.set(each.name, identityText(identity))
  }
  visit(party)
  return [...names].map(([name, who]) => ({ name, who }))
}

/** Who an identity of a policy is. */
export function identityText({ signer, person, roles }: PolicyIdentity): string {
  const about = [...(person === undefined ? [] : [`person ${person}`]), ...(roles.length === 0 ? [] : [`roles ${roles.join(', ')}`])]
  return `${signerWords(signer)}${about.length === 0 ? '' : ` (${about.join('; ')})`}`
}

function signerWords(signer: PolicyIdentity['signer']): string {
  switch (signer.kind) {
    case 'keys':
      return signer.keys.map(keyText).join(', or ')
    case 'certificate': {
      const extensions = [...signer.extensions].map(([arc, match]) => `${arcName(arc)} ${nameText(match)}`)
      const more = extensions.length === 0 ? '' : `, with ${extensions.join(', ')}`
      return `a certificate for ${nameText(signer.subject)} by issuer ${nameText(signer.issuer)}${more}${windowText(signer.validFor)}`
    }
    case 'x509': {
      const names = [
        ...(signer.subject === undefined ? [] : [`for ${nameText(signer.subject)}`]),
        ...(signer.commonName === undefined ? [] : [`with common name ${nameText(signer.commonName)}`]),
        ...(signer.issuer === undefined ? [] : [`issued by ${nameText(signer.issuer)}`]),
      ]
      const roots = signer.roots.map((root) => (root.kind === 'pem' ? 'the authority in the policy' : root.file))
      const clock = signer.verifierClockReason === undefined ? '' : ', also where no time is proven'
      return `a certificate${names.length === 0 ? '' : ` ${names.join(', ')}`} under ${roots.join(' or ')}${clock}${windowText(signer.validFor)}`
    }
    default:
      return unreachable(signer)
  }
}

function keyText({ source, validFor }: PolicyKey): string {
  const which =
    source.kind === 'pem' ? 'the key in the policy' : source.kind === 'name' ? `key ${source.name}` : `key ${source.fingerprint}`
  return `${which}${windowText(validFor)}`
}

function windowText(range: TimeRange | undefined): string {
  if (range === undefined) return ''
  const from = range.start === Number.NEGATIVE_INFINITY ? '' : ` from ${timeText(range.start)}`
  return `, for what was signed${from}${range.end === undefined ? '' : ` until ${timeText(range.end)}`}`
}

function nameText(match: NameMatch): string {
  return match.kind === 'exact' ? match.value : `${match.kind} ${match.value}`
}

function arcName(arc: string): string {
  return Object.entries(extensionArcs).find(([, each]) => each === arc)?.[0] ?? `extension ${arc}`
}

function matchText({ images, files, mediaTypes }: ArtifactMatch): string {
  const parts = [
    ...(images.length === 0 ? [] : [`images ${images.join(', ')}`]),
    ...(files.length === 0 ? [] : [`files ${files.join(', ')}`]),
  ]
  const types = mediaTypes.length === 0 ? '' : `of type ${mediaTypes.join(' or ')}`
  return parts.length === 0 ? `everything ${types}` : `${parts.join(' and ')}${types === '' ? '' : `, if ${types}`}`
}

function starred(side: string): string {
  return side.endsWith('/') ? `${side}**` : side
}

function revocationText({ name, keys, threshold, minVersion, required }: RevocationSource): string {
  const least = minVersion > 1 ? ` of version ${minVersion} or later` : ''
  const otherwise = required ? 'without it nothing can be told' : 'without it there is a warning'
  return `list ${name}${least}, signed by ${threshold} of ${keys.map(keyText).join(', ')}; ${otherwise}`
}
