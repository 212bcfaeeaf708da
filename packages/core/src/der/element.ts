/**
 * DER elements: tag, length, content (X.690 §8 to §10), strict, bounded and without copying. Their values are read by `reader.ts`.
 *
 * BER's other spellings (indefinite lengths, padded lengths and integers, constructed strings) are refused: a second spelling of the
 * same value would let two parsers see two different things under one signature.
 */
import { CountersignError } from '../failure.ts'

/** The four tag classes of ASN.1. */
export type DerClass = 'universal' | 'application' | 'context' | 'private'

/** One element: its tag, and its bytes as views of the input. */
export type DerNode = {
  readonly class: DerClass
  /** The tag number inside its class. */
  readonly tag: number
  readonly constructed: boolean
  /** Tag, length and content. */
  readonly raw: Uint8Array
  readonly content: Uint8Array
  /** The elements inside; throws `der_malformed` for a primitive element. */
  readonly children: () => readonly DerNode[]
}

/** What a reader accepts at most. */
export type DerLimits = {
  /** Bytes of the whole input. */
  readonly maxBytes: number
  /** Levels of nesting; the outermost element is level 1. */
  readonly maxDepth: number
}

/** Limits that every certificate and timestamp token of the real world keeps by far. */
export const defaultDerLimits: DerLimits = { maxBytes: 256 * 1024, maxDepth: 32 }

/** Universal tag numbers (X.680 §8.4). */
export const derTag = {
  boolean: 1,
  integer: 2,
  bitString: 3,
  octetString: 4,
  null: 5,
  oid: 6,
  enumerated: 10,
  utf8String: 12,
  sequence: 16,
  set: 17,
  numericString: 18,
  printableString: 19,
  teletexString: 20,
  ia5String: 22,
  utcTime: 23,
  generalizedTime: 24,
  visibleString: 26,
  bmpString: 30,
} as const

const classes = ['universal', 'application', 'context', 'private'] as const
const maxTagNumber = 0x1f_ffff

/**
 * Reads exactly one element and everything inside it.
 * Throws `der_too_large` or `der_too_deep` at a limit, `der_malformed` for what is not DER, bytes after the element included.
 */
export function parseDer(bytes: Uint8Array, limits: DerLimits = defaultDerLimits): DerNode {
  if (bytes.length > limits.maxBytes) {
    throw new CountersignError('der_too_large', `${bytes.length} bytes of DER are more than the limit of ${limits.maxBytes}`)
  }
  const node = readElement(bytes, 0, limits.maxDepth)
  if (node.raw.length !== bytes.length) throw derMalformed(`${bytes.length - node.raw.length} bytes follow the element`)
  return node
}

function readElement(bytes: Uint8Array, start: number, depthLeft: number): DerNode {
  if (depthLeft <= 0) throw new CountersignError('der_too_deep', 'elements are nested more deeply than the limit')
  const identifier = byteAt(bytes, start)
  const tagClass = classes[identifier >> 6] as DerClass
  const constructed = (identifier & 0x20) !== 0
  const { tag, next } = readTag(bytes, start)
  const { length, next: from } = readLength(bytes, next)
  const end = from + length
  if (end > bytes.length) throw derMalformed(`an element of ${length} bytes ends after its container`)
  if (tagClass === 'universal') checkForm(tag, constructed)
  const raw = bytes.subarray(start, end)
  const content = bytes.subarray(from, end)
  if (!constructed) return { class: tagClass, tag, constructed, raw, content, children: noChildren }
  const children = readElements(content, depthLeft - 1)
  return { class: tagClass, tag, constructed, raw, content, children: () => children }
}

function readElements(content: Uint8Array, depthLeft: number): readonly DerNode[] {
  const nodes: DerNode[] = []
  for (let at = 0; at < content.length;) {
    const node = readElement(content, at, depthLeft)
    nodes.push(node)
    at += node.raw.length
  }
  return nodes
}

/** X.690 §8.1.2: tag numbers from 31 up take further bytes, seven bits each, without leading zeros. */
function readTag(bytes: Uint8Array, start: number): { tag: number; next: number } {
  const low = byteAt(bytes, start) & 0x1f
  if (low !== 0x1f) return { tag: low, next: start + 1 }
  let tag = 0
  for (let at = start + 1; ; at++) {
    const byte = byteAt(bytes, at)
    tag = tag * 128 + (byte & 0x7f)
    if (tag === 0 || tag > maxTagNumber) throw derMalformed('a tag number is padded or too large')
    if (byte >= 0x80) continue
    if (tag < 0x1f) throw derMalformed('a small tag number is in its long form')
    return { tag, next: at + 1 }
  }
}

/** X.690 §10.1: the definite form with the fewest bytes. */
function readLength(bytes: Uint8Array, start: number): { length: number; next: number } {
  const first = byteAt(bytes, start)
  if (first < 0x80) return { length: first, next: start + 1 }
  const count = first & 0x7f
  if (count === 0) throw derMalformed('an indefinite length')
  if (count > 4) throw derMalformed(`a length of ${count} bytes`)
  let length = 0
  for (let i = 1; i <= count; i++) length = length * 256 + byteAt(bytes, start + i)
  if (length < 0x80 || length < 256 ** (count - 1)) throw derMalformed('a length is not in its shortest form')
  return { length, next: start + 1 + count }
}

/** X.690 §10.2: strings are primitive; sequences and sets (EXTERNAL and EMBEDDED PDV too) are constructed. */
function checkForm(tag: number, constructed: boolean): void {
  if (tag === 0) throw derMalformed('an end-of-contents element')
  const mustBeConstructed = tag === derTag.sequence || tag === derTag.set || tag === 8 || tag === 11
  if (constructed !== mustBeConstructed) {
    throw derMalformed(`universal type ${tag} is ${constructed ? 'constructed' : 'primitive'}`)
  }
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]
  if (byte === undefined) throw derMalformed('the input ends inside an element')
  return byte
}

function noChildren(): never {
  throw derMalformed('a primitive element where a constructed one belongs')
}

/** The failure for bytes that are not DER, or not the type that was asked for. */
export function derMalformed(detail: string): CountersignError {
  return new CountersignError('der_malformed', `not DER: ${detail}`)
}
