/**
 * JSON of RFC 8259, strict and bounded, for documents from outside.
 *
 * Stricter than `JSON.parse`, because two readers that disagree about one document are an attack: a member name may occur once (compared
 * after unescaping), no lone surrogate, no number beyond a double, no byte order mark. Linear time; objects have no prototype, so
 * `__proto__` is a name like any other.
 */
import { fromUtf8 } from '../bytes.ts'
import { CountersignError, type FailureCode } from '../failure.ts'

/** A JSON value as parsed. Objects have no prototype; integer-like names come first in their order, as in every JavaScript object. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject

/** A JSON object: null prototype, own enumerable members only. */
export type JsonObject = { readonly [name: string]: JsonValue }

/** Bounds of a document; a document beyond them is refused before it costs more than a scan, or than the memory that its bounds allow. */
export type JsonLimits = {
  /** Bytes of UTF-8 (characters, when text is given); default 32 MiB. */
  readonly maxBytes?: number
  /** Arrays and objects inside each other; default 64. */
  readonly maxDepth?: number
  /** Values of any kind, all levels together; default 1,000,000. */
  readonly maxValues?: number
  /** Members of the document itself that are read as strictly as all others, but of which no value is made: `null` stands for it. */
  readonly sourceOnly?: readonly string[]
}

/** A document and, when it is an object, the exact text of the value of each of its members. */
export type JsonDocument = {
  readonly value: JsonValue
  /** Top-level members only. `utf8(source)` gives the bytes as they stand in the document. */
  readonly sources: ReadonlyMap<string, string>
}

/** Bytes of the largest document that is signed or holds a signature: as much as cosign takes (`COSIGN_MAX_ATTACHMENT_SIZE`). */
export const maxDocumentBytes: number = 128 * 1024 * 1024
const defaultMaxBytes = 32 * 1024 * 1024
const defaultMaxDepth = 64
const defaultMaxValues = 1_000_000
/** Shared by all empty containers: three bytes of a document would otherwise cost 230 of memory. */
const emptyArray: readonly JsonValue[] = Object.freeze([])
const emptyObject: JsonObject = Object.freeze(Object.create(null) as JsonObject)

/** Parses a document. Throws `json_malformed`, `json_duplicate_key`, `json_too_deep`, `json_too_large`. */
export function parseJson(document: Uint8Array | string, limits: JsonLimits = {}): JsonValue {
  return parse(document, limits, undefined)
}

/** Parses a document and keeps the source text of its top-level members, for values whose bytes matter. Fails as {@link parseJson}. */
export function parseJsonDocument(document: Uint8Array | string, limits: JsonLimits = {}): JsonDocument {
  const sources = new Map<string, string>()
  return { value: parse(document, limits, sources), sources }
}

/** Parses a document whose every failure is one code of the caller's, with the JSON failure as cause. `what` is asked for its words then alone. */
export function parseJsonAs(
  code: FailureCode,
  what: string | (() => string),
  document: Uint8Array | string,
  limits: JsonLimits = {},
): JsonDocument {
  try {
    return parseJsonDocument(document, limits)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError(code, `${typeof what === 'string' ? what : what()}: ${cause.message}`, { cause })
  }
}

function parse(document: Uint8Array | string, limits: JsonLimits, sources: Map<string, string> | undefined): JsonValue {
  const maxBytes = limits.maxBytes ?? defaultMaxBytes
  if (document.length > maxBytes) {
    throw new CountersignError('json_too_large', `the JSON document has ${document.length} bytes`, {
      expected: `at most ${maxBytes} bytes`,
    })
  }
  const text = typeof document === 'string' ? document : decode(document)
  if (typeof document === 'string' && !text.isWellFormed()) {
    throw new CountersignError('json_malformed', 'the JSON document contains a lone surrogate')
  }
  const { maxDepth = defaultMaxDepth, maxValues = defaultMaxValues } = limits
  const { sourceOnly = [] } = limits
  const cursor: Cursor = { text, position: 0, depth: 0, maxDepth, values: 0, maxValues, sources, sourceOnly }
  skipSpace(cursor)
  const value = readValue(cursor)
  skipSpace(cursor)
  if (cursor.position !== text.length) throw malformed(cursor, 'the end of the document')
  return value
}

/** Where the parser is. `depth` counts open arrays and objects. */
type Cursor = {
  readonly text: string
  position: number
  depth: number
  readonly maxDepth: number
  /** Values begun so far. */
  values: number
  readonly maxValues: number
  /** Where the sources of top-level members go; absent when nobody asked. */
  readonly sources: Map<string, string> | undefined
  readonly sourceOnly: readonly string[]
}

function decode(document: Uint8Array): string {
  try {
    return fromUtf8(document)
  } catch (cause) {
    throw new CountersignError('json_malformed', 'the JSON document is not valid UTF-8', { cause })
  }
}

function malformed(cursor: Cursor, expected: string): CountersignError {
  return new CountersignError('json_malformed', `expected ${expected} at offset ${cursor.position} of the JSON document`)
}

function skipSpace(cursor: Cursor): void {
  const { text } = cursor
  for (;;) {
    const code = text.charCodeAt(cursor.position)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
    cursor.position++
  }
}

function readValue(cursor: Cursor): JsonValue {
  // Hostile: a value of two bytes takes a hundred times that in memory, and no catch helps when the heap is full.
  countValue(cursor)
  switch (cursor.text.charCodeAt(cursor.position)) {
    case 0x22:
      return readString(cursor)
    case 0x7b:
      return readObject(cursor)
    case 0x5b:
      return readArray(cursor)
    case 0x74:
      return readLiteral(cursor, 'true', true)
    case 0x66:
      return readLiteral(cursor, 'false', false)
    case 0x6e:
      return readLiteral(cursor, 'null', null)
    default:
      return readNumber(cursor)
  }
}

function countValue(cursor: Cursor): void {
  if (++cursor.values <= cursor.maxValues) return
  throw new CountersignError('json_too_large', `the JSON document has more than ${cursor.maxValues} values`)
}

function readLiteral<T extends JsonValue>(cursor: Cursor, literal: string, value: T): T {
  if (!cursor.text.startsWith(literal, cursor.position)) throw malformed(cursor, 'a value')
  cursor.position += literal.length
  return value
}

const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

function readNumber(cursor: Cursor): number {
  number.lastIndex = cursor.position
  const match = number.exec(cursor.text)
  if (match === null) throw malformed(cursor, 'a value')
  const value = Number(match[0])
  if (!Number.isFinite(value)) throw malformed(cursor, 'a number within the range of a double')
  cursor.position = number.lastIndex
  return value
}

/** Characters of a string that are looked at one by one, before the expression reads on: it takes a third of the time for each, but as much as thirty to begin. */
const shortString = 30
const plainCharacters = /[ !#-[\]-\uffff]*/y

function readString(cursor: Cursor): string {
  const { text } = cursor
  const start = cursor.position
  let escaped = false
  let position = start + 1
  let long = position + shortString
  for (;;) {
    if (position > long) {
      plainCharacters.lastIndex = position
      plainCharacters.test(text)
      position = plainCharacters.lastIndex
      long = position + shortString
    }
    const code = text.charCodeAt(position)
    if (code === 0x22) break
    // RFC 8259 §7: control characters must be escaped. NaN, which is not greater either: the document ended inside the string.
    if (!(code >= 0x20)) {
      cursor.position = Math.min(position, text.length)
      throw malformed(cursor, 'a character of a string')
    }
    if (code === 0x5c) {
      escaped = true
      position++
    }
    position++
  }
  cursor.position = position + 1
  return escaped ? unescape(cursor, start) : text.slice(start + 1, position)
}

/** The native parser knows the escapes; the string's end was found above, so nothing else can hide in it. */
function unescape(cursor: Cursor, start: number): string {
  let value: string
  try {
    value = JSON.parse(cursor.text.slice(start, cursor.position)) as string
  } catch (cause) {
    throw new CountersignError('json_malformed', `bad escape in the string at offset ${start} of the JSON document`, { cause })
  }
  if (value.isWellFormed()) return value
  throw new CountersignError('json_malformed', `lone surrogate in the string at offset ${start} of the JSON document`)
}

function enter(cursor: Cursor): void {
  cursor.position++
  cursor.depth++
  if (cursor.depth > cursor.maxDepth) {
    throw new CountersignError(
      'json_too_deep',
      `the JSON document nests deeper than ${cursor.maxDepth} levels at offset ${cursor.position}`,
    )
  }
  skipSpace(cursor)
}

/** After an item: true when another follows, false when the container ended. */
function another(cursor: Cursor, close: number): boolean {
  skipSpace(cursor)
  const code = cursor.text.charCodeAt(cursor.position)
  if (code !== 0x2c && code !== close) throw malformed(cursor, close === 0x5d ? '"," or "]"' : '"," or "}"')
  cursor.position++
  if (code === 0x2c) {
    skipSpace(cursor)
    return true
  }
  cursor.depth--
  return false
}

function readArray(cursor: Cursor): readonly JsonValue[] {
  enter(cursor)
  if (cursor.text.charCodeAt(cursor.position) === 0x5d) {
    cursor.position++
    cursor.depth--
    return emptyArray
  }
  const items: JsonValue[] = []
  do items.push(readValue(cursor))
  while (another(cursor, 0x5d))
  return items
}

function readObject(cursor: Cursor): JsonObject {
  enter(cursor)
  if (cursor.text.charCodeAt(cursor.position) === 0x7d) {
    cursor.position++
    cursor.depth--
    return emptyObject
  }
  const members: Record<string, JsonValue> = Object.create(null) as Record<string, JsonValue>
  do readMember(cursor, members)
  while (another(cursor, 0x7d))
  return members
}

/** Reads the name of a member and the colon after it; `isKnown` tells a name that was there before. */
function readName(cursor: Cursor, isKnown: (name: string) => boolean): string {
  if (cursor.text.charCodeAt(cursor.position) !== 0x22) throw malformed(cursor, 'a member name')
  const name = readString(cursor)
  // Hostile: one reader takes the first of two members, another the last.
  if (isKnown(name)) {
    throw new CountersignError('json_duplicate_key', `the member ${JSON.stringify(name.slice(0, 80))} occurs twice in one JSON object`)
  }
  skipSpace(cursor)
  if (cursor.text.charCodeAt(cursor.position) !== 0x3a) throw malformed(cursor, '":"')
  cursor.position++
  skipSpace(cursor)
  return name
}

function readMember(cursor: Cursor, members: Record<string, JsonValue>): void {
  const name = readName(cursor, (known) => known in members)
  const start = cursor.position
  members[name] = cursor.depth === 1 && cursor.sourceOnly.includes(name) ? scanValue(cursor) : readValue(cursor)
  if (cursor.depth === 1) cursor.sources?.set(name, cursor.text.slice(start, cursor.position))
}

/** Reads a value as {@link readValue} does and keeps nothing of it: what nobody asks for takes no memory. */
function scanValue(cursor: Cursor): null {
  const code = cursor.text.charCodeAt(cursor.position)
  if (code !== 0x7b && code !== 0x5b) {
    readValue(cursor)
    return null
  }
  countValue(cursor)
  const close = code === 0x7b ? 0x7d : 0x5d
  enter(cursor)
  if (cursor.text.charCodeAt(cursor.position) === close) {
    cursor.position++
    cursor.depth--
    return null
  }
  const names = code === 0x7b ? new Set<string>() : undefined
  do {
    if (names !== undefined) readName(cursor, (name) => names.size === names.add(name).size)
    scanValue(cursor)
  } while (another(cursor, close))
  return null
}
