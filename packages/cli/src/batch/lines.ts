/** What a run over many prints: a line for each, and at the end what to do about those that failed. */
import type { FailureCode } from '@countersign/core/failure'
import { failureLine, printable } from '../failure/message.ts'
import { detailOf, type Standing, standingOf } from '../report/items.ts'
import type { SubjectReport, SummaryReport } from '../report/schema.ts'
import { paint } from '../terminal/paint.ts'

/** One result on one line: what became of it, what it is, where it is mentioned, and why. */
export function resultLine(subject: SubjectReport, colour: boolean): string {
  const standing = standingOf(subject)
  const painted = painter(standing, colour)
  const { location, platform, digest, failure } = subject
  const name = subject.subject + (platform === undefined || subject.subject.endsWith(')') ? '' : ` (${platform})`)
  const pinned = standing !== 'failed' && digest !== undefined && subject.type === 'container' && !name.includes('@') ? ` ${digest}` : ''
  const place = location?.line === undefined ? '' : ` [${location.file}:${location.line}]`
  const why = failure === undefined || standing === 'skipped' ? detailOf(subject) : `${failure.code}: ${failureLine(failure)}`
  return `${painted(standing.padEnd(9))}${printable(`${name}${pinned}${place}${why === undefined ? '' : `: ${why}`}`)}\n`
}

/** How many of each, and how long it took. */
export function summaryLine({ total, verified, warned, failed, skipped }: SummaryReport, elapsedMs: number): string {
  return `${verified} verified, ${warned} warned, ${failed} failed, ${skipped} skipped of ${total} in ${(elapsedMs / 1000).toFixed(1)} s\n`
}

/** What to do next, once for each kind of failure. */
export function hintLines(subjects: readonly SubjectReport[]): string {
  const hints = new Map<string, { readonly code: FailureCode; count: number }>()
  for (const { failure } of subjects) {
    if (failure === undefined) continue
    const known = hints.get(failure.hint)
    if (known === undefined) hints.set(failure.hint, { code: failure.code, count: 1 })
    else known.count++
  }
  return [...hints]
    .map(([hint, { code, count }]) => `countersign: ${code} (${count}): ${printable(hint)}\n`)
    .slice(0, 20)
    .join('')
}

function painter(standing: Standing, colour: boolean): (text: string) => string {
  const { good, bad, dim, strong } = paint(colour)
  return { verified: good, warned: strong, failed: bad, skipped: dim }[standing]
}
