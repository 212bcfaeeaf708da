/**
 * Reads a guide as the test plays it: what is written for a reader is what runs.
 *
 * ```` ```sh ````                the commands, run in order in one folder; each must succeed (`set -e`). Variables and the working folder last.
 * ```` ```yaml policy.yaml ````  a file of that name, written before what follows (any language, any relative name)
 *
 * Comments of HTML, which readers of the page do not see, say the rest. Each speaks of the next block of `sh`, but for `prepare`:
 *
 * `<!-- prepare … -->`        lines of sh of its own: what the reader already has, e.g. `push-image registry.example/team/app:1.4`
 * `<!-- exits 12 -->`         the block ends with that code, and this is what it shows
 * `<!-- needs jq, cosign -->` where one of these programs is missing, the block is skipped
 * `<!-- not run: WHY -->`     the block is not run, for a reason that is written out
 */

/** Something to do, in order. */
export type GuideStep =
  | { readonly kind: 'run'; readonly line: number; readonly text: string; readonly exit: number; readonly needs: readonly string[] }
  | { readonly kind: 'file'; readonly line: number; readonly name: string; readonly text: string }
  | { readonly kind: 'skip'; readonly line: number; readonly reason: string }

type Marks = { exit: number; needs: readonly string[]; reason: string | undefined }

/** The steps of a guide. A mark that stands before no block is a step that fails, so that a misspelt guide cannot pass. */
export function parseGuide(markdown: string): readonly GuideStep[] {
  const lines = markdown.split('\n')
  const steps: GuideStep[] = []
  let marks: Marks = { exit: 0, needs: [], reason: undefined }
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string
    const prepared = /^\s*<!--\s*prepare\b(.*)$/.exec(line)
    if (prepared !== null) {
      const end = lines.findIndex((other, index) => index >= at && other.includes('-->'))
      const rest = lines.slice(at + 1, end).join('\n')
      const first = (end === at ? prepared[1]?.replace(/-->.*$/, '') : prepared[1]?.replace(/^:.*$/, '')) ?? ''
      steps.push({ kind: 'run', line: at + 1, text: `${first.trim()}\n${rest}`.trim(), exit: 0, needs: [] })
      at = Math.max(end, at)
      continue
    }
    marks = marked(marks, line)
    const fence = /^(\s*)(`{3,})\s*(\S*)\s*(\S*)\s*$/.exec(line)
    if (fence === null) continue
    const end = lines.findIndex((other, index) => index > at && other.trim() === fence[2])
    const block = lines
      .slice(at + 1, end < 0 ? undefined : end)
      .map((text) => text.slice(Math.min(fence[1]?.length ?? 0, text.length - text.trimStart().length)))
    const step = stepOf(at + 2, fence[3] ?? '', fence[4] ?? '', block.join('\n'), marks)
    if (step !== undefined) {
      steps.push(step)
      if (step.kind !== 'file') marks = { exit: 0, needs: [], reason: undefined }
    }
    at = end < 0 ? lines.length : end
  }
  return steps
}

function marked(marks: Marks, line: string): Marks {
  const [, mark = ''] = /^\s*<!--\s*(.*?)\s*-->\s*$/.exec(line) ?? []
  const exit = /^exits (\d{1,3})$/.exec(mark)
  if (exit !== null) return { ...marks, exit: Number(exit[1]) }
  const needs = /^needs ([\w.,\s-]+)$/.exec(mark)
  if (needs !== null) return { ...marks, needs: (needs[1] as string).split(',').map((name) => name.trim()) }
  const skipped = /^not run: (.*)$/.exec(mark)
  return skipped === null ? marks : { ...marks, reason: skipped[1] }
}

function stepOf(line: number, language: string, name: string, text: string, marks: Marks): GuideStep | undefined {
  if (language !== 'sh' && language !== 'bash') return name === '' ? undefined : { kind: 'file', line, name, text: `${text}\n` }
  if (marks.reason !== undefined) return { kind: 'skip', line, reason: marks.reason }
  return { kind: 'run', line, text, exit: marks.exit, needs: marks.needs }
}
