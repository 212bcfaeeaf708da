/** What became of each of many subjects, in short. */
import type { JsonValue } from '@countersign/core/json/parse'
import type { SubjectSummary, SubjectReport, SummaryReport } from './schema.ts'
import { verdictIn } from './verdict.ts'

/** What became of one subject. */
export type Standing = 'verified' | 'warned' | 'failed' | 'skipped'

/** The lists of the report. */
export type SortedItems = { readonly [standing in Standing]: readonly SubjectSummary[] } & { readonly summary: SummaryReport }

/** What became of a subject. */
export function standingOf(subject: Pick<SubjectReport, 'ok' | 'skipped' | 'verdict'>): Standing {
  if (subject.skipped !== undefined) return 'skipped'
  if (!subject.ok) return 'failed'
  return subject.verdict === 'warn' ? 'warned' : 'verified'
}

/** Sorts subjects by what became of them; each list keeps their order. */
export function sortedItems(subjects: readonly SubjectReport[]): SortedItems {
  const lists: Record<Standing, SubjectSummary[]> = { verified: [], warned: [], failed: [], skipped: [] }
  for (const [index, subject] of subjects.entries()) lists[standingOf(subject)].push(summaryOf(subject, index))
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

function summaryOf(subject: SubjectReport, index: number): SubjectSummary {
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

/** The rules that warn. */
function warningOf(content: JsonValue | undefined): string {
  const verdict = verdictIn(content)
  const rules = (verdict?.rules ?? []).filter(({ decision }) => decision === 'warn')
  const lists = (verdict?.revocations ?? []).filter(({ decision }) => decision === 'warn')
  const lines = [...lists.map(({ list, detail }) => `${list}: ${detail}`), ...rules.map(({ rule, detail }) => `${rule}: ${detail}`)]
  return lines.join('; ') || (verdict?.detail ?? 'the policy warns')
}
