/**
 * Dockerfiles as instructions: directives, comments, continued lines and here-documents, as BuildKit's parser reads them.
 *
 * Hostile: whoever can make this reader and the builder disagree about where an instruction begins hides a `FROM`. What is ambiguous is refused.
 */
import { heredocNames } from './heredoc.ts'
import { malformedAt, type ManifestText } from './text-place.ts'

/** One instruction, its continued lines joined. */
export type Instruction = {
  /** Lower case. */
  readonly keyword: string
  /** What follows the keyword. */
  readonly rest: string
  /** Where in the file a character of `rest` stands. */
  readonly offsetOf: (index: number) => number
}

/** A Dockerfile in parts. */
export type DockerfileLines = {
  readonly escape: '\\' | '`'
  /** The image that reads the file (`# syntax=`). */
  readonly syntax?: { readonly text: string; readonly start: number }
  readonly instructions: readonly Instruction[]
}

const keywords = new Set(
  'add arg cmd copy entrypoint env expose from healthcheck label maintainer onbuild run shell stopsignal user volume workdir'.split(' '),
)

type Line = { readonly start: number; readonly text: string }

/** Reads a Dockerfile. Throws `file_malformed`. */
export function readDockerfileLines(source: ManifestText): DockerfileLines {
  demandCommonBlanks(source)
  const lines = linesOf(source.text)
  const { escape, syntax } = readDirectives(source, lines)
  const instructions: Instruction[] = []
  for (let at = 0; at < lines.length;) {
    const begun = begin(lines[at] as Line)
    at++
    if (begun === undefined) continue
    const logical = new Logical()
    let more = logical.take(begun, escape)
    for (; more && at < lines.length; at++) {
      const line = lines[at] as Line
      if (begin(line) !== undefined) more = logical.take(line, escape)
    }
    const instruction = logical.instruction()
    if (instruction === undefined) continue
    if (!keywords.has(instruction.keyword))
      throw malformedAt(source, begun.start, `${JSON.stringify(instruction.keyword.slice(0, 40))} is no instruction of a Dockerfile`)
    instructions.push(instruction)
    for (const name of heredocNames(source, instruction)) at = afterHeredoc(source, lines, at, name)
  }
  return { escape, instructions, ...(syntax === undefined ? {} : { syntax }) }
}

/** Two characters are blanks here and not in the builder, or there and not here: behind one of them a comment is none, and a line goes on. */
function demandCommonBlanks(source: ManifestText): void {
  const at = source.text.slice(1).search(/[\u{feff}\u0085]/u)
  if (at !== -1) throw malformedAt(source, at + 1, 'there is an invisible character that builders read in different ways', 'Delete it.')
}

function linesOf(text: string): readonly Line[] {
  const lines: Line[] = []
  for (let start = text.startsWith('\uFEFF') ? 1 : 0; start <= text.length;) {
    const newline = text.indexOf('\n', start)
    const end = newline === -1 ? text.length : newline
    let last = end
    while (last > start && text[last - 1] === '\r') last--
    lines.push({ start, text: text.slice(start, last) })
    start = end + 1
  }
  return lines
}

/** A line without the blanks before it; `undefined` for an empty line and for a comment. */
function begin({ start, text }: Line): Line | undefined {
  const trimmed = text.trimStart()
  return trimmed === '' || trimmed.startsWith('#') ? undefined : { start: start + text.length - trimmed.length, text: trimmed }
}

/** Lines joined by the escape character at their end. One that is itself escaped joins nothing. */
class Logical {
  #text = ''
  readonly #parts: { readonly at: number; readonly start: number }[] = []

  /** Takes a line; answers whether the next one continues it. */
  take({ start, text }: Line, escape: string): boolean {
    const trimmed = trimBlanks(text)
    const continued = trimmed.endsWith(escape) && trimmed.at(-2) !== escape
    this.#parts.push({ at: this.#text.length, start })
    this.#text += continued ? trimmed.slice(0, -1) : text
    return continued
  }

  /** The last part that begins at or before an index: by halves, since a line may have a hundred thousand parts and flags. */
  #partAt(index: number): { readonly at: number; readonly start: number } | undefined {
    let low = 0
    for (let high = this.#parts.length - 1; low < high;) {
      const middle = (low + high + 1) >> 1
      if ((this.#parts[middle]?.at ?? 0) <= index) low = middle
      else high = middle - 1
    }
    return this.#parts[low]
  }

  instruction(): Instruction | undefined {
    const text = this.#text
    const keyword = /^\S+/.exec(text)?.[0]
    if (keyword === undefined) return undefined
    const after = text.slice(keyword.length)
    const skipped = keyword.length + after.length - after.trimStart().length
    const offsetOf = (index: number): number => {
      const part = this.#partAt(index + skipped)
      return part === undefined ? 0 : part.start + index + skipped - part.at
    }
    return { keyword: keyword.toLowerCase(), rest: after.trim(), offsetOf }
  }
}

function trimBlanks(text: string): string {
  let end = text.length
  while (end > 0 && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--
  return text.slice(0, end)
}

/** BuildKit's expression: its blanks are those of ASCII. */
const directive = /^#[\t\f\r ]*([A-Za-z][A-Za-z0-9]*)[\t\f\r ]*=[\t\f\r ]*(\S.*)$/
/** What might be one for other readers. */
const likeDirective = /^\s*#\s*([A-Za-z][A-Za-z0-9]*)\s*=/

/** Directives are the comments at the very start. An `escape` that stands where builders differ about it is refused: lines would be joined otherwise. */
function readDirectives(source: ManifestText, lines: readonly Line[]): Pick<DockerfileLines, 'escape' | 'syntax'> {
  let escape: '\\' | '`' | undefined
  let syntax: DockerfileLines['syntax']
  let zone: 'sure' | 'unsure' | 'over' = 'sure'
  for (const [index, line] of lines.entries()) {
    const { start, text } = line
    if (index === 0 && text.startsWith('#!')) continue
    if (begin(line) !== undefined) break
    const match = directive.exec(text)
    const name = (match ?? likeDirective.exec(text))?.[1]?.toLowerCase()
    const value = (match?.[2] ?? '').trim()
    if (name === 'escape') {
      if (zone !== 'sure' || match === null || escape !== undefined || (value !== '\\' && value !== '`'))
        throw malformedAt(source, start, 'builders do not agree about this escape directive', 'Write "# escape=`" once, on the first line.')
      escape = value
    } else if (name === 'syntax') {
      if (zone !== 'over' && match !== null) syntax ??= { text: value, start: start + text.indexOf(value, text.indexOf('=')) }
    } else if (name === undefined) zone = 'over'
    else if (name !== 'check' && zone === 'sure') zone = 'unsure'
  }
  return { escape: escape ?? '\\', ...(syntax === undefined ? {} : { syntax }) }
}

function afterHeredoc(
  source: ManifestText,
  lines: readonly Line[],
  from: number,
  { name, tabs, offset }: ReturnType<typeof heredocNames>[number],
): number {
  for (let at = from; at < lines.length; at++) {
    const { text } = lines[at] as Line
    if ((tabs ? text.replace(/^\t+/, '') : text) === name) return at + 1
  }
  throw malformedAt(source, offset, `the here-document ${JSON.stringify(name.slice(0, 40))} does not end`)
}
