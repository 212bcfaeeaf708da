/** The report as JSON, piece by piece: of ten thousand subjects the whole text would be many times what is known of them. */
import type { Report } from './schema.ts'

/** Pieces that together are what `JSON.stringify(report, undefined, 2)` gives, with a line break at the end. */
export function* jsonPieces(report: Report): Generator<string, void, void> {
  const { subjects } = report
  const text = JSON.stringify({ ...report, subjects: [] }, undefined, 2)
  // No string of JSON holds a line break, so this is the member itself.
  const member = '\n  "subjects": []'
  const at = text.indexOf(member)
  if (subjects.length === 0 || at < 0) {
    yield `${text}\n`
    return
  }
  yield `${text.slice(0, at)}\n  "subjects": [`
  for (const [index, subject] of subjects.entries()) {
    const lines = JSON.stringify(subject, undefined, 2).replaceAll('\n', '\n    ')
    yield `${index === 0 ? '' : ','}\n    ${lines}`
  }
  yield `\n  ]${text.slice(at + member.length)}\n`
}
