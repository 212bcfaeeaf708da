/** What to verify before a policy can be evaluated. */
import type { SignedEntity } from '../bundle/model.ts'
import { unreachable } from '../failure.ts'
import type { Demand, IdentityMatch, NameMatch, TrustedKey, VerifyPolicy } from '../verify/policy.ts'
import type { CompiledPolicy } from './compile.ts'

/**
 * The verifications of each signature found: one with the keys of all identities, one with the names of all certificates, one with all
 * authorities of the policy's own; a signature made with a certificate may satisfy any. All accept any content: which of it counts is the
 * policy's to say, as are windows.
 */
export type PolicyDemands = { readonly keys?: VerifyPolicy; readonly certificates?: VerifyPolicy; readonly authorities?: VerifyPolicy }

const required: Demand = { kind: 'required' }
const notDemanded: Demand = { kind: 'not_demanded' }

/** Which signers to verify each found signature with. What this accepts is at least what any rule can count, and evaluation decides. */
export function demandsOf({ policy, identities, rules }: CompiledPolicy): PolicyDemands {
  const used = new Set(rules.flatMap((rule) => rule.identities))
  const keys: TrustedKey[] = identities
    .filter((identity) => used.has(identity))
    .flatMap((identity) => identity.keys.map(({ key, label }) => ({ key, label })))
  const names: IdentityMatch[] = [...policy.identities.values()].flatMap(({ name, signer }) =>
    signer.kind === 'certificate' && identities.some((identity) => identity.name === name && used.has(identity))
      ? [{ issuer: widened(signer.issuer), subject: widened(signer.subject) }]
      : [],
  )
  const authorities = identities.flatMap((identity) =>
    identity.authority === undefined || !used.has(identity) ? [] : [identity.authority],
  )
  const base = { content: { kind: 'any_content' as const }, signedTimestamp: notDemanded, claims: required }
  return {
    ...(keys.length === 0 ? {} : { keys: { ...base, signer: { kind: 'keys', keys }, log: notDemanded, sct: notDemanded } }),
    ...(names.length === 0
      ? {}
      : { certificates: { ...base, signer: { kind: 'identities', identities: names }, log: required, sct: required } }),
    ...(authorities.length === 0
      ? {}
      : { authorities: { ...base, signer: { kind: 'authorities', authorities }, log: notDemanded, sct: notDemanded } }),
  }
}

/** How often a verification by these demands may compute a signature of this entity: with a key once for each, with a certificate once. */
export function trialsOf({ keys }: PolicyDemands, { material }: Pick<SignedEntity, 'material'>): number {
  return material.kind === 'public-key' && keys?.signer.kind === 'keys' ? keys.signer.keys.length : 1
}

/** Globs of one verification have a single star for anything: wider than a policy's, whose own comparison follows. */
function widened(match: NameMatch): NameMatch {
  switch (match.kind) {
    case 'exact':
    case 'pattern':
      return match
    case 'glob':
      return { kind: 'glob', value: match.value.replaceAll(/[*?]+/g, '*') }
    default:
      return unreachable(match)
  }
}

/** Whether anything in the policy can only count with a trusted time or a log entry, so that without a trusted root it never does. */
export function needsTrustedTime({ rules }: CompiledPolicy): boolean {
  return rules.some(({ rule: { demand }, identities }) => {
    if (demand.kind === 'platforms') return false
    const { required, logged, ...moments } = demand.time
    const lasting = demand.kind === 'signature' && demand.terms.maxLifetimeMs !== undefined
    const newest = demand.kind === 'attestation' && demand.newest
    const windowed = identities.some(({ keys }) => keys.length > 0 && keys.every(({ validFor }) => validFor !== undefined))
    const chained = identities.some(({ authority }) => authority?.time.kind === 'trusted')
    return required || logged || Object.keys(moments).length > 0 || newest || lasting || windowed || chained
  })
}

/** Whether anything in the policy looks at the media type of an artifact: a match, or a condition, which may. */
export function needsMediaType({ policy, rules }: CompiledPolicy): boolean {
  const matches = [policy.match, ...rules.map(({ rule }) => rule.match)]
  return rules.some(({ condition }) => condition !== undefined) || matches.some((match) => (match?.mediaTypes.length ?? 0) > 0)
}
