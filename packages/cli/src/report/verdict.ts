/** The verdict of a policy as lines, and out of the report, where it is data. */
import type { JsonValue } from '@countersign/core/json/parse'
import type { Verdict } from '@countersign/core/policy/verdict'
import { printable } from '../failure/message.ts'

/** The verdict as the content of a report. */
export type VerdictContent = { readonly verdict: JsonValue }

/** Puts a verdict into a report: it is data throughout, what is written is what it is. */
export function verdictContent(verdict: Verdict): VerdictContent {
  return { verdict }
}

/** The reason tree, a line for each thing that was demanded and each signature that was looked at. */
export function verdictTree(verdict: Verdict): readonly string[] {
  const lines: string[] = []
  for (const { list, decision, detail } of verdict.revocations) lines.push(`revocations ${list}: ${decision}: ${detail}`)
  for (const rule of verdict.rules) {
    lines.push(`${rule.rule}: ${rule.outcome.replaceAll('_', ' ')}: ${rule.detail}`)
    if (rule.wanted !== undefined) lines.push(`  wanted: ${rule.wanted}`)
    for (const item of rule.looked) {
      const as = item.identities.length === 0 ? '' : ` as ${item.identities.join(', ')}`
      lines.push(`  ${item.signer}: ${item.status.replaceAll('_', ' ')}${as}${item.detail === undefined ? '' : `: ${item.detail}`}`)
    }
  }
  return lines.map(printable)
}

/** The same out of the content of a subject; nothing where it holds no verdict. */
export function verdictLines(content: JsonValue | undefined): readonly string[] {
  const verdict = verdictIn(content)
  return verdict === undefined ? [] : verdictTree(verdict)
}

/** The verdict in the content of a subject. It was put there by {@link verdictContent}: a report is never read from outside. */
export function verdictIn(content: JsonValue | undefined): Verdict | undefined {
  if (typeof content !== 'object' || content === null || !Object.hasOwn(content, 'verdict')) return undefined
  return (content as VerdictContent).verdict as unknown as Verdict
}
