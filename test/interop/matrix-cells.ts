/** The cells of the interoperability matrix and the table that they are printed as. */
import type { Tool } from './command.ts'
import type { KeyKind } from './world.ts'

/** Where and how a signature is kept. */
export type Layout = 'bundle, referrers' | 'bundle, fallback tag' | 'legacy'

/** What is signed with what, by whom, kept where. */
export type Row = { readonly subject: 'image' | 'index' | 'blob'; readonly content: string; readonly key: KeyKind }

/** What came of one cell. `none` is a combination that a peer does not have, with the reason. */
export type Mark = { readonly kind: 'good' } | { readonly kind: 'bad' } | { readonly kind: 'none'; readonly reason: string }

/** Collects what came of the cells. */
export class Results {
  readonly #cells = new Map<string, Map<string, Mark>>()
  readonly #reasons: string[] = []

  /** Notes one cell: the row, where it is kept, who signed and who verified. */
  set(row: Row, layout: Layout, signer: Tool, verifier: Tool, mark: Mark): void {
    const name = `${row.subject}, ${row.content}, ${row.key}`
    const line = this.#cells.get(name) ?? new Map<string, Mark>()
    line.set(columnName(layout, signer, verifier), mark)
    this.#cells.set(name, line)
  }

  /** How many cells are good, bad and none. */
  counts(): { good: number; bad: number; none: number } {
    const all = [...this.#cells.values()].flatMap((line) => [...line.values()])
    const of = (kind: Mark['kind']) => all.filter((mark) => mark.kind === kind).length
    return { good: of('good'), bad: of('bad'), none: of('none') }
  }

  /** The table: a row for each content and key, a column for each place and pair; numbers at a dash lead to the reasons below. */
  table(): string {
    const layouts: Layout[] = ['bundle, referrers', 'bundle, fallback tag', 'legacy']
    const pairs = (['ours', 'cosign'] as const).flatMap((signer) =>
      (['ours', 'cosign'] as const).map((verifier) => [signer, verifier] as const),
    )
    const columns = layouts.flatMap((layout) => pairs.map(([signer, verifier]) => columnName(layout, signer, verifier)))
    const width = Math.max(...[...this.#cells.keys()].map((name) => name.length))
    const group = pairs.length * 4
    const lines = [
      `${' '.repeat(width)}  ${layouts.map((layout) => layout.padEnd(group)).join('  ')}`,
      `${'signed → verified (o ours, c cosign)'.slice(0, width).padEnd(width)}  ${layouts.map(() => 'o→o o→c c→o c→c '.padEnd(group)).join('  ')}`,
    ]
    for (const name of [...this.#cells.keys()].sort()) {
      const line = this.#cells.get(name)
      const cells = columns.map((column) => this.#symbol(line?.get(column)).padEnd(4))
      const groups = layouts.map((_, index) => cells.slice(index * pairs.length, (index + 1) * pairs.length).join(''))
      lines.push(`${name.padEnd(width)}  ${groups.join('  ')}`)
    }
    return [...lines, '', ...this.#reasons.map((reason, index) => `—${index + 1}: ${reason}`)].join('\n')
  }

  #symbol(mark: Mark | undefined): string {
    if (mark === undefined) return ''
    if (mark.kind === 'good') return '✔'
    if (mark.kind === 'bad') return '✘'
    if (!this.#reasons.includes(mark.reason)) this.#reasons.push(mark.reason)
    return `—${this.#reasons.indexOf(mark.reason) + 1}`
  }
}

function columnName(layout: Layout, signer: Tool, verifier: Tool): string {
  return `${layout} ${signer} ${verifier}`
}
