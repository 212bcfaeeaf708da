/**
 * A strict reader of DER values (X.690 §8 and §11). Every function throws `der_malformed` when the element is of another type or
 * spells its value in a way that DER forbids.
 */
import { fromUtf8 } from '../bytes.ts'
import { CountersignError, type FailureCode } from '../failure.ts'
import { derMalformed, derTag, type DerNode } from './element.ts'
import { generalizedTimeToMs, utcTimeToMs } from './time.ts'

export { defaultDerLimits, derTag, parseDer, type DerClass, type DerLimits, type DerNode } from './element.ts'

const maxOidBytes = 128

/** Whether an element has this universal type. */
export function isUniversal(node: DerNode | undefined, tag: number): node is DerNode & { readonly class: 'universal' } {
  return node !== undefined && node.class === 'universal' && node.tag === tag
}

/** Whether an element has this context-specific tag. */
export function isContext(node: DerNode | undefined, tag: number): node is DerNode & { readonly class: 'context' } {
  return node !== undefined && node.class === 'context' && node.tag === tag
}

/** The elements of a SEQUENCE. */
export function readSequence(node: DerNode | undefined): readonly DerNode[] {
  return expectUniversal(node, derTag.sequence, 'SEQUENCE').children()
}

/** The elements of a SET OF, which DER sorts by their encodings (X.690 §11.6). */
export function readSet(node: DerNode | undefined): readonly DerNode[] {
  const members = expectUniversal(node, derTag.set, 'SET').children()
  for (const [i, member] of members.entries()) {
    const previous = members[i - 1]
    if (previous && comparePadded(previous.raw, member.raw) > 0) throw derMalformed('a SET is not sorted')
  }
  return members
}

/** The one element inside an explicit context tag. */
export function readExplicit(node: DerNode | undefined, tag: number): DerNode {
  if (!isContext(node, tag)) throw derMalformed(`explicit tag ${tag} is missing`)
  const [inner, extra] = node.children()
  if (inner === undefined || extra !== undefined) throw derMalformed(`explicit tag ${tag} holds not exactly one element`)
  return inner
}

/** OBJECT IDENTIFIER in dotted form. */
export function readOid(node: DerNode | undefined): string {
  return oidFromContent(expectUniversal(node, derTag.oid, 'OBJECT IDENTIFIER').content)
}

/** The content of an OBJECT IDENTIFIER (also under an implicit tag) in dotted form (X.690 §8.19). */
export function oidFromContent(content: Uint8Array): string {
  if (content.length === 0 || content.length > maxOidBytes) throw derMalformed('an object identifier is empty or too long')
  let text = ''
  let arc: number | bigint = 0
  let first = true
  for (const byte of content) {
    if (first && byte === 0x80) throw derMalformed('an arc of an object identifier is padded')
    arc = extendArc(arc, byte & 0x7f)
    first = byte < 0x80
    if (!first) continue
    text = text === '' ? firstArcs(arc) : `${text}.${arc}`
    arc = 0
  }
  if (!first) throw derMalformed('an object identifier ends inside an arc')
  return text
}

/** Arcs have no bound (X.660 §7.6); nearly all of them are small. */
function extendArc(arc: number | bigint, bits: number): number | bigint {
  return typeof arc === 'number' && arc < 2 ** 45 ? arc * 128 + bits : BigInt(arc) * 128n + BigInt(bits)
}

/** X.690 §8.19.4: the first two arcs are in one number. */
function firstArcs(head: number | bigint): string {
  if (typeof head === 'bigint') return `2.${head - 80n}`
  const root = Math.min(2, Math.floor(head / 40))
  return `${root}.${head - root * 40}`
}

/** INTEGER as its content: two's complement, big-endian, shortest form. */
export function readInteger(node: DerNode | undefined): Uint8Array {
  return integerContent(expectUniversal(node, derTag.integer, 'INTEGER').content)
}

/** INTEGER as a number from 0 to 2^53-1. */
export function readSmallInteger(node: DerNode | undefined): number {
  return smallIntegerFromContent(expectUniversal(node, derTag.integer, 'INTEGER').content)
}

/** ENUMERATED as a number from 0 to 2^53-1. */
export function readEnumerated(node: DerNode | undefined): number {
  return smallIntegerFromContent(expectUniversal(node, derTag.enumerated, 'ENUMERATED').content)
}

/** The content of an INTEGER (also under an implicit tag) as a number from 0 to 2^53-1. */
export function smallIntegerFromContent(content: Uint8Array): number {
  const bytes = integerContent(content)
  if ((bytes[0] as number) >= 0x80) throw derMalformed('an INTEGER is negative')
  let value = 0
  for (const byte of bytes) value = value * 256 + byte
  if (bytes.length > 8 || !Number.isSafeInteger(value)) throw derMalformed('an INTEGER is too large')
  return value
}

/** X.690 §8.3.2: the first nine bits are neither all zeros nor all ones. */
function integerContent(content: Uint8Array): Uint8Array {
  const [first, second] = content
  if (first === undefined) throw derMalformed('an INTEGER is empty')
  const padded = second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))
  if (padded) throw derMalformed('an INTEGER is not in its shortest form')
  return content
}

/** BOOLEAN: one byte, 00 or FF (X.690 §11.1). */
export function readBoolean(node: DerNode | undefined): boolean {
  const { content } = expectUniversal(node, derTag.boolean, 'BOOLEAN')
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw derMalformed('a BOOLEAN is neither 00 nor FF')
  return content[0] === 0xff
}

/** NULL, which is empty. */
export function readNull(node: DerNode | undefined): void {
  if (expectUniversal(node, derTag.null, 'NULL').content.length !== 0) throw derMalformed('a NULL has content')
}

/** A BIT STRING: its bytes, and how many low bits of the last byte do not count. */
export type DerBits = { readonly bytes: Uint8Array; readonly unusedBits: number }

/** BIT STRING; unused bits are zero (X.690 §11.2.1). */
export function readBitString(node: DerNode | undefined): DerBits {
  const { content } = expectUniversal(node, derTag.bitString, 'BIT STRING')
  const unusedBits = content[0]
  const last = content[content.length - 1] as number
  if (unusedBits === undefined || unusedBits > 7 || (unusedBits > 0 && content.length === 1)) {
    throw derMalformed('a BIT STRING has a wrong count of unused bits')
  }
  if (unusedBits > 0 && (last & (2 ** unusedBits - 1)) !== 0) throw derMalformed('unused bits of a BIT STRING are not zero')
  return { bytes: content.subarray(1), unusedBits }
}

/** BIT STRING that holds whole bytes, as keys and signatures do. */
export function readBitStringBytes(node: DerNode | undefined): Uint8Array {
  const { bytes, unusedBits } = readBitString(node)
  if (unusedBits !== 0) throw derMalformed('a BIT STRING does not hold whole bytes')
  return bytes
}

/** OCTET STRING. */
export function readOctetString(node: DerNode | undefined): Uint8Array {
  return expectUniversal(node, derTag.octetString, 'OCTET STRING').content
}

/** UTCTime or GeneralizedTime in DER form as Unix milliseconds; a fraction is cut to whole milliseconds. */
export function readTimeMs(node: DerNode | undefined): number {
  if (isUniversal(node, derTag.utcTime)) return utcTimeToMs(ascii(node.content))
  return readGeneralizedTimeMs(node)
}

/** GeneralizedTime in DER form as Unix milliseconds; a fraction is cut to whole milliseconds. */
export function readGeneralizedTimeMs(node: DerNode | undefined): number {
  return generalizedTimeToMs(ascii(expectUniversal(node, derTag.generalizedTime, 'time').content))
}

/** Any of the character string types as text; throws `utf8_malformed` for a broken UTF8String. */
export function readString(node: DerNode | undefined): string {
  if (node === undefined || node.class !== 'universal') throw derMalformed('a string is missing')
  switch (node.tag) {
    case derTag.utf8String:
      return fromUtf8(node.content)
    case derTag.printableString:
    case derTag.numericString:
    case derTag.ia5String:
    case derTag.visibleString:
      return ascii(node.content)
    case derTag.teletexString:
      return String.fromCharCode(...bounded(node.content))
    case derTag.bmpString:
      return bmp(bounded(node.content))
    default:
      throw derMalformed('a string is of another type')
  }
}

/** UTF8String as text; throws `utf8_malformed` for a broken one. */
export function readUtf8String(node: DerNode | undefined): string {
  return fromUtf8(expectUniversal(node, derTag.utf8String, 'UTF8String').content)
}

/** Bytes below 128 as text. */
export function ascii(content: Uint8Array): string {
  if (content.some((byte) => byte > 0x7f)) throw derMalformed('a string holds characters that are not ASCII')
  return fromUtf8(content)
}

function bmp(content: Uint8Array): string {
  if (content.length % 2 !== 0) throw derMalformed('a BMPString has an odd length')
  let text = ''
  for (let i = 0; i < content.length; i += 2) text += String.fromCharCode((content[i] as number) * 256 + (content[i + 1] as number))
  return text
}

/** The legacy string types occur in names only, which are short. */
function bounded(content: Uint8Array): Uint8Array {
  if (content.length > 4096) throw derMalformed('a legacy string is too long')
  return content
}

function expectUniversal(node: DerNode | undefined, tag: number, name: string): DerNode {
  if (!isUniversal(node, tag)) throw derMalformed(node === undefined ? `${name} is missing` : `${name} expected`)
  return node
}

/** X.690 §11.6: compared as if the shorter were padded with zeros. */
function comparePadded(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Runs a parser over DER and renames `der_malformed` and `utf8_malformed` to the code of the structure; limits keep their own codes. */
export function withDerCode<T>(code: FailureCode, what: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    if (!(cause instanceof CountersignError) || (cause.code !== 'der_malformed' && cause.code !== 'utf8_malformed')) throw cause
    throw new CountersignError(code, `${what}: ${cause.message}`, { cause })
  }
}
