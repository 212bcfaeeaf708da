/**
 * From proven evidence to a verdict: pure, without clock, network or cryptography. The policy engine of the command line, and of whatever
 * else enforces a policy.
 */
import { outcomeOf, type FailureCode } from '../failure.ts'
import type { Refusal } from '../verify/evidence.ts'
import type { CompiledPolicy, CompiledRevocationSource } from './compile.ts'
import { judgeRule } from './judge.ts'
import type { PolicyArtifact } from './match.ts'
import { distinctItems, type ProvenItem } from './proven.ts'
import type { RevocationList } from './revocation-list.ts'
import { ageProblem, type RevocationState } from './revocations.ts'
import { gravest, type RevocationReport, type RuleReport, type Verdict } from './verdict.ts'

/** What one verdict is made of. */
export type PolicyInput = {
  readonly artifact: PolicyArtifact
  /** Every signature and attestation of the artifact that `verifyEntity` proved, in any order. */
  readonly evidence: readonly ProvenItem[]
  /** Those that it refused: they never count, and say why a verdict is what it is. */
  readonly refusals: readonly { readonly source: string; readonly refusal: Pick<Refusal, 'code' | 'detail'> }[]
  /** Places that may hold more and could not be read. */
  readonly unreadable: readonly { readonly code: FailureCode; readonly detail: string }[]
  /** State of each revocation list by the name that the policy gives it. */
  readonly revocations: ReadonlyMap<string, RevocationState>
  /** The verifier's clock, Unix milliseconds. */
  readonly nowMs: number
}

/** Evaluates a policy. Never throws for anything in the evidence; the same input gives the same verdict. */
export function evaluatePolicy(compiled: CompiledPolicy, input: PolicyInput): Verdict {
  const { policy } = compiled
  const head = { policy: policy.name }
  if (!compiled.matches(input.artifact)) {
    const detail = 'the policy does not speak of this artifact'
    return { ...head, ...decided(policy.unmatched), matched: false, detail, revocations: [], rules: [] }
  }
  const revocations = compiled.revocations.map((source) => judgeList(source, input))
  const lists = [...input.revocations].flatMap(([name, { list }]) =>
    list !== undefined && compiled.revocations.some((source) => source.name === name) ? [list] : [],
  )
  const rules = judgeRules(compiled, input, lists)
  if (rules.every(({ outcome }) => outcome === 'does_not_apply')) {
    // Vacuous: nothing was demanded, so nothing was shown.
    const detail = 'no rule of the policy applies to this artifact'
    return { ...head, ...decided(policy.unmatched), matched: true, detail, revocations, rules }
  }
  const nodes = [...revocations, ...rules]
  const decision = gravest(nodes.map((node) => node.decision))
  const detail =
    rules
      .filter((rule) => rule.decision !== 'allow')
      .map((rule) => `${rule.rule}: ${rule.detail}`)
      .join('; ') || 'every rule is satisfied'
  return { ...head, ...decided(decision, codeOf(nodes, input)), matched: true, detail, revocations, rules }
}

function decided(decision: Verdict['decision'], code: FailureCode = 'policy_denied'): Pick<Verdict, 'decision' | 'code'> {
  return decision === 'deny' ? { decision, code } : { decision }
}

/** What is denied whatever else may be found comes first; then what was proven altered; else it could not be told. */
function codeOf(nodes: readonly (RuleReport | RevocationReport)[], { refusals }: PolicyInput): FailureCode {
  const denied = nodes.filter(({ decision }) => decision === 'deny')
  const open = denied.find(({ code }) => code !== undefined)?.code
  if (open !== undefined && denied.every(({ code }) => code !== undefined)) return open
  return refusals.find(({ refusal }) => outcomeOf(refusal.code) === 'altered')?.refusal.code ?? 'policy_denied'
}

function judgeRules(compiled: CompiledPolicy, input: PolicyInput, lists: readonly RevocationList[]): readonly RuleReport[] {
  const items = distinctItems(input.evidence)
  const unknown = [...input.unreadable, ...input.refusals.map(({ refusal }) => refusal).filter(({ code }) => outcomeOf(code) === 'unknown')]
  const { mirrors } = compiled.policy
  const codes = unknown.map(({ code }) => code).sort()
  return compiled.rules.map((rule) =>
    judgeRule(rule, { artifact: input.artifact, items, lists, mirrors, open: codes[0], nowMs: input.nowMs }),
  )
}

/** A list that is demanded and cannot be relied on denies: whoever holds it back would otherwise un-revoke. */
function judgeList(source: CompiledRevocationSource, input: PolicyInput): RevocationReport {
  const state: RevocationState = input.revocations.get(source.name) ?? {
    ok: false,
    code: 'revocation_list_missing',
    detail: `no list of revocations ${source.name} was given`,
  }
  const problem = state.ok ? ageProblem(state.list, source, input.nowMs) : state
  if (problem === undefined) {
    const detail = state.ok ? `version ${state.list.version}, signed by ${state.signedBy.join(', ')}` : ''
    return { list: source.name, decision: 'allow', detail }
  }
  return { list: source.name, decision: source.required ? 'deny' : 'warn', detail: problem.detail, code: problem.code }
}
