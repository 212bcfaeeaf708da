/** What a policy says of an artifact, and why: one node for each thing that was demanded. */
import type { FailureCode } from '../failure.ts'
import type { Decision } from './model.ts'

/** What was made of one signature or attestation for one rule. */
export type ItemReport = {
  /** Where it was found. */
  readonly source: string
  readonly signer: string
  /** `counts_revoked`: it is revoked with severity warn. */
  readonly status: 'counts' | 'counts_revoked' | 'does_not_count' | 'could_not_tell'
  /** As which identities of the policy it counts. */
  readonly identities: readonly string[]
  /** Why it does not count, or what is to be known of it. */
  readonly detail?: string
}

/** What one rule came to. */
export type RuleReport = {
  readonly rule: string
  readonly outcome: 'satisfied' | 'missing' | 'failed' | 'could_not_tell' | 'does_not_apply'
  readonly decision: Decision
  readonly detail: string
  /** What would have satisfied it; absent when it is satisfied. */
  readonly wanted?: string
  /** Everything of the kind that the rule asks for, counted or not. */
  readonly looked: readonly ItemReport[]
  /** The distinct signers that fill the quorum, or as much of it as is filled. */
  readonly quorum?: { readonly signers: readonly string[]; readonly needed: number }
  /** With `could_not_tell`: why. */
  readonly code?: FailureCode
}

/** What a revocation list that the policy names came to. */
export type RevocationReport = {
  readonly list: string
  readonly decision: Decision
  readonly detail: string
  readonly code?: FailureCode
}

/**
 * The verdict. Three-valued for whoever enforces it: `deny` is also what "could not tell" comes to, and then `code` is one of outcome
 * `unknown`, so that a run ends with "could not tell" and is tried again.
 */
export type Verdict = {
  readonly decision: Decision
  /** Why not, when the decision is `deny`: `policy_denied`, what proved an artifact or signature altered, or why it could not be told. */
  readonly code?: FailureCode
  readonly policy: string
  readonly matched: boolean
  readonly detail: string
  readonly revocations: readonly RevocationReport[]
  readonly rules: readonly RuleReport[]
}

const gravity: Readonly<Record<Decision, number>> = { allow: 0, warn: 1, deny: 2 }

/** The gravest of several decisions; `allow` of none. */
export function gravest(decisions: readonly Decision[]): Decision {
  return decisions.reduce<Decision>((worst, decision) => (gravity[decision] > gravity[worst] ? decision : worst), 'allow')
}
