/** What became of each of many subjects, in short. */
import type { JsonValue } from '@countersign/core/json/parse'
import type { ItemReport, SubjectReport, SummaryReport } from './schema.ts'

/** What became of one subject. */
export type Standing = 'verified' | 'warned' | 'failed' | 'skipped'

/** The lists of the report. */
export type SortedItems = { readonly [standing in Standing]: readonly ItemReport[] } & { readonly summary: SummaryReport }

/** What became of a subject. */
export function standingOf(subject: Pick<SubjectReport, 'ok' | 'skipped' | 'verdict'>): Standing {
  if (subject.skipped !== undefined) return 'skipped'
  if (!subject.ok) return 'failed'
  return subject.verdict === 'warn' ? 'warned' : 'verified'
}

/** Sorts subjects by what became of them; each list keeps their order. */
export function sortedItems(subjects: readonly SubjectReport[]): SortedItems {
  const lists: Record<Standing, ItemReport[]> = { verified: [], warned: [], failed: [], skipped: [] }
  for (const [index, subject] of subjects.entries()) lists[standingOf(subject)].push(itemReport(subject, index))
  const { verified, warned, failed, skipped } = lists
  return {
    ...lists,
    summary: {
      total: subjects.length,
      verified: verified.length,
      warned: warned.length,
      failed: failed.length,
      skipped: skipped.length,
    },
  }
}

/** Why a subject failed, was warned of, or was skipped, on one line. */
export function detailOf(subject: SubjectReport): string | undefined {
  return subject.failure?.detail ?? subject.skipped ?? (subject.verdict === 'warn' ? warningOf(subject.content) : undefined)
}

function itemReport(subject: SubjectReport, index: number): ItemReport {
  const { type, platform, location, reference, digest, verdict, durationMs, failure } = subject
  const detail = detailOf(subject)
  return {
    index,
    subject: subject.subject,
    ...(type === undefined ? {} : { type }),
    ...(platform === undefined ? {} : { platform }),
    ...(reference === undefined ? {} : { reference }),
    ...(digest === undefined ? {} : { digest }),
    ...(location === undefined ? {} : { location }),
    ...(verdict === undefined ? {} : { verdict }),
    ...(failure === undefined ? {} : { code: failure.code }),
    ...(detail === undefined ? {} : { detail }),
    ...(durationMs === undefined ? {} : { durationMs }),
  }
}

/** The rules that warn, out of the verdict as it is written. */
function warningOf(content: JsonValue | undefined): string {
  const verdict = memberOf(content, 'verdict')
  const rules = memberOf(verdict, 'rules')
  const warnings = Array.isArray(rules) ? (rules as readonly JsonValue[]).filter((rule) => memberOf(rule, 'decision') === 'warn') : []
  const lines = warnings.map((rule) => `${String(memberOf(rule, 'rule'))}: ${String(memberOf(rule, 'detail'))}`)
  return lines.join('; ') || String(memberOf(verdict, 'detail') ?? 'the policy warns')
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
    ? (value as { readonly [name: string]: JsonValue })[name]
    : undefined
}
