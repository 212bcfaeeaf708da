/**
 * A large YAML document, read in pieces: of a long list below the first mapping no more than a few hundred entries are held as tokens and nodes,
 * which take a hundred times the text. Every rule of the language stays with the library: its parser takes the whole text, its composer takes
 * the entries that the parser has finished.
 *
 * What is read so is what would be read at once. Whatever is not plain (an error, an anchor, a second document) is left to who reads at once.
 */
import type { JsonValue } from '@countersign/core/json/parse'
import type * as yamlModule from 'yaml'
import type { CST, Document, ParseOptions } from 'yaml'
import { faultOf } from './plain.ts'

type Yaml = typeof yamlModule

/** A document's value, and where an entry of a list that was read in pieces begins, from 1. */
export type PiecesRead = {
  readonly value: JsonValue
  readonly entryAt: (list: string, index: number) => { readonly line: number; readonly column: number } | undefined
}

/** Entries that are made values at once. */
const pieceEntries = 50
/** The parser may still move comments between the last entries. */
const openEntries = 3

/** A list that is being read. */
type LongList = { readonly keyOffset: number; readonly values: JsonValue[]; readonly starts: number[] }

/** Reads one document; `undefined` when it is not plain. `options` are those of the library, without a line counter. */
export function readInPieces(yaml: Yaml, text: string, options: ParseOptions): PiecesRead | undefined {
  const lists = new Map<CST.BlockSequence, LongList>()
  const lines = new yaml.LineCounter()
  lines.addNewLine(0)
  const parser = new yaml.Parser(lines.addNewLine)
  const documents: CST.Token[] = []
  for (const lexeme of new yaml.Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) documents.push(token)
    // It may change how the entries are to be read.
    if (documents[0]?.type === 'directive') return undefined
    const list = longList(parser.stack)
    if (list !== undefined && !takeEntries(yaml, options, lists, list)) return undefined
  }
  for (const token of parser.end()) documents.push(token)
  const document = composed(yaml, options, documents)
  const read = document === undefined ? undefined : joined(yaml, document, [...lists.values()])
  if (read === undefined) return undefined
  const entryAt: PiecesRead['entryAt'] = (list, index) => {
    const start = read.starts.get(list)?.[index]
    if (start === undefined) return undefined
    const { line, col } = lines.linePos(start)
    return { line, column: col }
  }
  return { value: read.value, entryAt }
}

type LongListToken = { readonly key: CST.Token; readonly list: CST.BlockSequence }

/** The list below a member of the first mapping, when enough of its entries are finished. */
function longList([first, map, list]: readonly CST.Token[]): LongListToken | undefined {
  if (list?.type !== 'block-seq' || list.items.length < pieceEntries + openEntries) return undefined
  if (first?.type !== 'document' || map?.type !== 'block-map') return undefined
  const key = map.items.at(-1)?.key
  return key === undefined || key === null ? undefined : { key, list }
}

function takeEntries(yaml: Yaml, options: ParseOptions, lists: Map<CST.BlockSequence, LongList>, { key, list }: LongListToken): boolean {
  const known = lists.get(list) ?? { keyOffset: key.offset, values: [], starts: [] }
  lists.set(list, known)
  const items = list.items.splice(0, list.items.length - openEntries)
  const piece: CST.BlockSequence = { type: 'block-seq', offset: list.offset, indent: list.indent, items }
  const document = composed(yaml, options, [{ type: 'document', offset: list.offset, start: [], value: piece }])
  const { contents } = document ?? {}
  if (document === undefined || !yaml.isSeq(contents) || contents.items.length !== items.length) return false
  known.starts.push(...contents.items.map((item) => startOf(yaml, item)))
  known.values.push(...(document.toJS({ maxAliasCount: 0 }) as JsonValue[]))
  return true
}

/** One document without a fault; `undefined` otherwise. */
function composed(yaml: Yaml, options: ParseOptions, tokens: readonly CST.Token[]): Document.Parsed | undefined {
  const [document, ...more] = new yaml.Composer(options).compose(tokens)
  return document === undefined || more.length > 0 || faultOf(yaml, document) !== undefined ? undefined : document
}

/** A value, and where the entries of its long lists begin, by the names of the lists. */
type Joined = { readonly value: JsonValue; readonly starts: ReadonlyMap<string, readonly number[]> }

/** The document with the entries that were taken from its lists. */
function joined(yaml: Yaml, document: Document.Parsed, taken: readonly LongList[]): Joined | undefined {
  const value = document.toJS({ maxAliasCount: 0 }) as JsonValue
  const starts = new Map<string, readonly number[]>()
  for (const list of taken) {
    const pair = yaml.isMap(document.contents)
      ? document.contents.items.find(({ key }) => startOf(yaml, key) === list.keyOffset)
      : undefined
    const rest = yaml.isSeq(pair?.value) ? pair.value : undefined
    const name = yaml.isScalar(pair?.key) ? pair.key.value : undefined
    if (rest === undefined || typeof name !== 'string') return undefined
    const values = (value as Readonly<Record<string, JsonValue[]>>)[name]
    if (values?.length !== rest.items.length) return undefined
    values.unshift(...list.values)
    starts.set(name, [...list.starts, ...rest.items.map((item) => startOf(yaml, item))])
  }
  return { value, starts }
}

function startOf(yaml: Yaml, node: unknown): number {
  return yaml.isNode(node) ? (node.range?.[0] ?? 0) : 0
}
