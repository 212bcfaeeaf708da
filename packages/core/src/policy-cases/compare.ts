/** What came out against what was expected, and which outcomes of which rules no case has shown. */
import type { PolicyRule } from '../policy/model.ts'
import type { RuleReport, Verdict } from '../policy/verdict.ts'
import type { CaseDifference, Expectation } from './model.ts'

/** Everything that is not as expected; empty when the case holds. */
export function compareVerdict(verdict: Verdict, expected: Expectation): readonly CaseDifference[] {
  const differences: CaseDifference[] = []
  const differ = (what: string, wanted: string, found: string): void => {
    if (wanted !== found) differences.push({ what, expected: wanted, found })
  }
  differ('decision', expected.decision, verdict.decision)
  if (expected.code !== undefined) differ('code', expected.code, verdict.code ?? 'none')
  for (const [name, outcome] of expected.rules) {
    const rule = verdict.rules.find((each) => each.rule === name)
    differ(`rule ${name}`, outcome, rule?.outcome ?? 'no such rule was judged')
  }
  const { reason } = expected
  const reasons = reasonsOf(verdict)
  if (reason !== undefined && !reasons.some((each) => each.includes(reason))) {
    differences.push({ what: 'reason', expected: reason, found: reasons.join('; ') })
  }
  return differences
}

function reasonsOf({ detail, rules, revocations }: Verdict): readonly string[] {
  return [
    detail,
    ...revocations.map((list) => list.detail),
    ...rules.flatMap((rule) => [rule.detail, ...(rule.wanted === undefined ? [] : [rule.wanted])]),
    ...rules.flatMap(({ looked }) => looked.flatMap((item) => (item.detail === undefined ? [] : [item.detail]))),
  ]
}

/** What cases have shown of one rule. */
export type RuleCoverage = { readonly rule: string; readonly satisfied: boolean; readonly refused: boolean }

/** Which rules some case satisfied, and which some case did not: a rule that no case makes fail may demand nothing. */
export function coverageOf(rules: readonly PolicyRule[], verdicts: readonly Verdict[]): readonly RuleCoverage[] {
  const shown = (name: string, outcomes: readonly RuleReport['outcome'][]): boolean =>
    verdicts.some((verdict) => verdict.rules.some(({ rule, outcome }) => rule === name && outcomes.includes(outcome)))
  return rules.map(({ name }) => ({ rule: name, satisfied: shown(name, ['satisfied']), refused: shown(name, ['missing', 'failed']) }))
}
