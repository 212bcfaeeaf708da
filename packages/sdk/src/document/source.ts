/** Files that people write: YAML or JSON text to a value, with file, line and column in every failure. */
import { CountersignError, type FailureCode } from '@countersign/core/failure'
import { type JsonValue, parseJson } from '@countersign/core/json/parse'
import type * as yamlModule from 'yaml'
import type { Document } from 'yaml'
import type { PiecesRead } from './pieces.ts'
import { faultOf } from './plain.ts'

type Yaml = typeof yamlModule

/** How a document is read. */
export type DocumentOptions = {
  /** The code of every failure. */
  readonly code: FailureCode
  /** UTF-16 units. */
  readonly maxCharacters: number
  /** The same for YAML, whose reader needs a hundred times its text; default `maxCharacters`. */
  readonly maxYamlCharacters?: number
}

/** A document, and where in its file things are. Lines and columns count from 1. */
export type SourceDocument = {
  readonly value: JsonValue
  /**
   * Where the deepest part of a path (`$.a[2]`) that exists begins: its key in a mapping, its item in a sequence. Not known of JSON that is too
   * large for the reader of YAML, which alone knows lines.
   */
  readonly lineOf: (path: string) => Line | undefined
  /** The same as `NAME:LINE:COLUMN`, or `NAME` alone. */
  readonly placeOf: (path: string) => string
  /** A failure whose message begins with a path, as one of a place in the file; others as they are. */
  readonly located: (cause: unknown) => unknown
}

type Line = { readonly line: number; readonly column: number }

/**
 * Reads a document. `name` is how messages call the file. YAML 1.2 without aliases, anchors and tags; JSON is a part of it.
 * Throws with the code given as `NAME:LINE:COLUMN: what`.
 */
export async function readSourceDocument(text: string, name: string, options: DocumentOptions): Promise<SourceDocument> {
  const { code, maxCharacters } = options
  if (text.length > maxCharacters) throw tooLong(text, name, code, maxCharacters)
  const yaml = await import('yaml')
  const json = readJson(text, name, code, maxCharacters)
  const maxYaml = options.maxYamlCharacters ?? maxCharacters
  if (json !== undefined) {
    let known: YamlText | undefined
    const lines = isModest(text, maxYaml)
    return sourceDocument(json, name, () => (lines ? (known ??= readYaml(yaml, text, name, code)) : undefined))
  }
  demandModest(text, name, code, maxYaml)
  if (text.length > wholeCharacters) {
    const pieces = (await import('./pieces.ts')).readInPieces(yaml, text, strict)
    let known: YamlText | undefined
    // Where something in it is, is asked of what is refused alone: then it is read again.
    if (pieces !== undefined) return sourceDocument(pieces.value, name, () => (known ??= readYaml(yaml, text, name, code)), pieces.entryAt)
  }
  const read = readYaml(yaml, text, name, code)
  return sourceDocument(read.document.toJS({ maxAliasCount: 0 }) as JsonValue, name, () => read)
}

/** UTF-16 units of a text up to which its tokens and nodes may be in memory, all at once. */
const wholeCharacters = 64 * 1024

const maxDocuments = 1000

/** Reads all documents of a YAML file, those left out that hold nothing. Throws as {@link readSourceDocument}. */
export async function readSourceDocuments(text: string, name: string, options: DocumentOptions): Promise<readonly SourceDocument[]> {
  const most = options.maxYamlCharacters ?? options.maxCharacters
  demandModest(text, name, options.code, most)
  const documents = readYamlDocuments(await import('yaml'), text, name, options.code)
  return documents
    .filter(({ document }) => document.contents !== null)
    .map((read) => sourceDocument(read.document.toJS({ maxAliasCount: 0 }) as JsonValue, name, () => read))
}

/** JSON alone, by the strict reader: many times faster, and it needs no more than the value. Anything else is left to the reader of YAML. */
function readJson(text: string, name: string, code: FailureCode, maxBytes: number): JsonValue | undefined {
  if (!/^\s{0,1000}[{[]/.test(text)) return undefined
  try {
    return parseJson(text, { maxBytes })
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    // The reader of YAML would take what is too much for this one, and fifty times the memory.
    if (cause.code === 'json_too_large' || cause.code === 'json_too_deep')
      throw new CountersignError(code, `${name}: ${cause.message}`, { cause })
    return undefined
  }
}

type YamlText = { readonly document: Document.Parsed; readonly position: (offset: number) => Line }

function readYaml(yaml: Yaml, text: string, name: string, code: FailureCode): YamlText {
  const lineCounter = new yaml.LineCounter()
  return checked(yaml, () => [yaml.parseDocument(text, { ...strict, lineCounter })], { name, code, lineCounter })[0] as YamlText
}

function readYamlDocuments(yaml: Yaml, text: string, name: string, code: FailureCode): readonly YamlText[] {
  const lineCounter = new yaml.LineCounter()
  const read = (): readonly Document.Parsed[] => [...yaml.parseAllDocuments(text, { ...strict, lineCounter })] as Document.Parsed[]
  return checked(yaml, read, { name, code, lineCounter })
}

const strict = { prettyErrors: false, version: '1.2', customTags: [] as never[], uniqueKeys: false, stringKeys: true } as const

type Reading = { readonly name: string; readonly code: FailureCode; readonly lineCounter: InstanceType<Yaml['LineCounter']> }

function checked(yaml: Yaml, read: () => readonly Document.Parsed[], reading: Reading): readonly YamlText[] {
  const { name, code, lineCounter } = reading
  let documents: readonly Document.Parsed[]
  try {
    documents = read()
  } catch (cause) {
    throw new CountersignError(code, `${name}: not a document that can be read`, { cause })
  }
  if (documents.length > maxDocuments) {
    throw new CountersignError(code, `${name}: ${documents.length} documents`, { expected: `at most ${maxDocuments}` })
  }
  const position = (offset: number): Line => {
    const { line, col } = lineCounter.linePos(offset)
    return { line, column: col }
  }
  const at = (offset: number): string => `${name}:${position(offset).line}:${position(offset).column}`
  for (const document of documents) {
    const fault = faultOf(yaml, document)
    if (fault !== undefined) throw new CountersignError(code, `${at(fault.offset)}: ${fault.text}`)
  }
  return documents.map((document) => ({ document, position }))
}

function sourceDocument(value: JsonValue, name: string, yaml: () => YamlText | undefined, entryAt?: PiecesRead['entryAt']): SourceDocument {
  const lineOf = (steps: Steps): Line | undefined => {
    const [list, index, ...more] = steps
    const known = typeof list === 'string' && typeof index === 'number' && more.length === 0 ? entryAt?.(list, index) : undefined
    if (known !== undefined) return known
    const read = yaml()
    return read?.position(offsetOf(read.document, steps))
  }
  const placeOf = (steps: Steps): string => {
    const at = lineOf(steps)
    return at === undefined ? name : `${name}:${at.line}:${at.column}`
  }
  return {
    value,
    lineOf: (path) => lineOf(readPath(path).steps ?? []),
    placeOf: (path) => placeOf(readPath(path).steps ?? []),
    located: (cause) => located(cause, placeOf),
  }
}

function located(cause: unknown, placeOf: (steps: Steps) => string): unknown {
  if (!(cause instanceof CountersignError)) return cause
  const { steps, rest } = readPath(cause.message)
  if (steps === undefined) return cause
  const unknownField = /^unknown field ("(?:[^"\\]|\\.)*")/.exec(rest)?.[1]
  const named = unknownField === undefined ? steps : [...steps, String(JSON.parse(unknownField))]
  return new CountersignError(cause.code, `${placeOf(named)}: ${cause.message}`, {
    ...(cause.expected === undefined ? {} : { expected: cause.expected }),
    ...(cause.found === undefined ? {} : { found: cause.found }),
    ...(cause.hint === undefined ? {} : { hint: cause.hint }),
    cause,
  })
}

type Steps = readonly (string | number)[]

/** The path at the start of a message, as core's readers write it: `$.a[2]["b c"]: `. */
function readPath(message: string): { readonly steps?: Steps; readonly rest: string } {
  if (!message.startsWith('$')) return { rest: message }
  const steps: (string | number)[] = []
  let rest = message.slice(1)
  for (;;) {
    const match = /^(?:\.([A-Za-z_][A-Za-z0-9_]*)|\[([0-9]+)\]|\[("(?:[^"\\]|\\.)*")\])/.exec(rest)
    if (match === null) return { steps, rest: rest.replace(/^: /, '') }
    steps.push(match[1] ?? (match[2] === undefined ? String(JSON.parse(match[3] ?? '""')) : Number(match[2])))
    rest = rest.slice(match[0].length)
  }
}

function offsetOf(document: Document.Parsed, steps: Steps): number {
  let node: unknown = document.contents
  let offset = rangeOf(node) ?? 0
  for (const step of steps) {
    const items = typeof node === 'object' && node !== null && 'items' in node && Array.isArray(node.items) ? (node.items as unknown[]) : []
    const next = typeof step === 'number' ? items[step] : items.find((item) => keyOf(item) === step)
    if (next === undefined) return offset
    const pair = typeof step === 'string' ? (next as { key: unknown; value: unknown }) : undefined
    offset = rangeOf(pair?.key ?? next) ?? offset
    node = pair === undefined ? next : pair.value
  }
  return offset
}

function keyOf(item: unknown): unknown {
  if (typeof item !== 'object' || item === null || !('key' in item)) return undefined
  const { key } = item
  return typeof key === 'object' && key !== null && 'value' in key ? key.value : undefined
}

function rangeOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return undefined
  const [start] = node.range as unknown[]
  return typeof start === 'number' ? start : undefined
}

/** Enough for ten thousand entries of a batch; beyond it the reader of YAML takes minutes and gigabytes. */
const maxTokens = 250_000
const maxNesting = 200

function demandModest(text: string, name: string, code: FailureCode, maxCharacters: number): void {
  if (text.length > maxCharacters) throw tooLong(text, name, code, maxCharacters)
  if (isModest(text, maxCharacters)) return
  throw new CountersignError(code, `${name}: too much or too deep to be read as YAML`, {
    expected: `at most ${maxTokens} values, ${maxNesting} inside each other`,
    hint: 'Write it as JSON, or in several files.',
  })
}

/** Hostile: what a document costs is bounded before it is read. Signs inside of texts are counted too, so that nothing need be understood. */
function isModest(text: string, maxCharacters: number): boolean {
  if (text.length > maxCharacters) return false
  let tokens = 0
  let nesting = 0
  for (let at = 0; at < text.length; at++) {
    const sign = text.charCodeAt(at)
    // [ and {, ] and }, comma, colon, line break; dash and question mark where they open an entry.
    if (sign === 0x5b || sign === 0x7b) nesting++
    else if (sign === 0x5d || sign === 0x7d) nesting = Math.max(0, nesting - 1)
    else if (sign === 0x2d || sign === 0x3f) {
      if (text.charCodeAt(at + 1) !== 0x20) continue
    } else if (sign !== 0x2c && sign !== 0x3a && sign !== 0x0a) continue
    tokens++
    if (tokens > maxTokens || nesting > maxNesting) return false
  }
  return !/(?:[-?] +){200}/.test(text)
}

function tooLong(text: string, name: string, code: FailureCode, most: number): CountersignError {
  return new CountersignError(code, `${name}: ${text.length} characters`, { expected: `at most ${most}` })
}
