/** Builds DER (X.690) from values: definite lengths in the shortest form, sets sorted. */
import { compareBytes, concatBytes, utf8 } from '../bytes.ts'
import { derMalformed, derTag } from './element.ts'

/** One element from its first byte (class, form and a tag number below 31) and its content. */
export function derElement(identifier: number, content: Uint8Array): Uint8Array {
  return derElementOf(identifier, [content])
}

/** One element whose content is the parts, one after the other; everything is copied once. */
export function derElementOf(identifier: number, parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const head = derHeadLength(length)
  const element = new Uint8Array(head + length)
  element[0] = identifier
  writeDerLength(element, 0, length, head)
  let at = head
  for (const part of parts) {
    element.set(part, at)
    at += part.length
  }
  return element
}

/** SEQUENCE of encoded elements. */
export function derSequence(...elements: readonly Uint8Array[]): Uint8Array {
  return derElementOf(0x20 | derTag.sequence, elements)
}

/** SET OF encoded elements, sorted by their encodings (X.690 §11.6). */
export function derSet(...elements: readonly Uint8Array[]): Uint8Array {
  return derElementOf(0x20 | derTag.set, elements.toSorted(compareBytes))
}

/** INTEGER from a number (safe, of either sign) or a bigint. */
export function derInteger(value: number | bigint): Uint8Array {
  return derElement(derTag.integer, integerContent(BigInt(value)))
}

/** Non-negative INTEGER from big-endian magnitude bytes, such as a serial number or a modulus; leading zeros do not matter. */
export function derUnsignedInteger(magnitude: Uint8Array): Uint8Array {
  let start = 0
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++
  const bytes = magnitude.subarray(start)
  const padded = bytes.length === 0 || (bytes[0] as number) >= 0x80 ? concatBytes(Uint8Array.of(0), bytes) : bytes
  return derElement(derTag.integer, padded)
}

/** ENUMERATED. */
export function derEnumerated(value: number): Uint8Array {
  return derElement(derTag.enumerated, integerContent(BigInt(value)))
}

/** BOOLEAN. */
export function derBoolean(value: boolean): Uint8Array {
  return derElement(derTag.boolean, Uint8Array.of(value ? 0xff : 0))
}

/** NULL. */
export function derNull(): Uint8Array {
  return derElement(derTag.null, new Uint8Array())
}

/** OBJECT IDENTIFIER from its dotted form. Throws `der_malformed` when the text is not one. */
export function derOid(dotted: string): Uint8Array {
  if (dotted.length > 256 || !/^[0-2](?:\.(?:0|[1-9][0-9]*))+$/.test(dotted)) throw derMalformed('text is not an object identifier')
  const [root, second, ...rest] = dotted.split('.').map(BigInt) as [bigint, bigint, ...bigint[]]
  if (root < 2n && second >= 40n) throw derMalformed('text is not an object identifier')
  return derElement(derTag.oid, Uint8Array.from([root * 40n + second, ...rest].flatMap(arcBytes)))
}

/** OCTET STRING. */
export function derOctetString(content: Uint8Array): Uint8Array {
  return derElement(derTag.octetString, content)
}

/** BIT STRING of whole bytes, or with the given count of unused low bits in the last byte (which must be zero). */
export function derBitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return derElementOf(derTag.bitString, [Uint8Array.of(unusedBits), bytes])
}

/** BIT STRING of named bits, such as KeyUsage: trailing zero bits are left out (X.690 §11.2.2). */
export function derNamedBits(bits: readonly number[]): Uint8Array {
  const highest = Math.max(-1, ...bits)
  const bytes = new Uint8Array(Math.floor(highest / 8) + 1)
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] as number) | (0x80 >> (bit & 7))
  return derBitString(bytes, highest < 0 ? 0 : 7 - (highest & 7))
}

/** UTF8String. */
export function derUtf8String(text: string): Uint8Array {
  return derElement(derTag.utf8String, utf8(text))
}

/** IA5String. Throws `der_malformed` for characters outside ASCII. */
export function derIa5String(text: string): Uint8Array {
  return derElement(derTag.ia5String, asciiBytes(text))
}

/** PrintableString. Throws `der_malformed` for characters outside ASCII. */
export function derPrintableString(text: string): Uint8Array {
  return derElement(derTag.printableString, asciiBytes(text))
}

/** Time as certificates write it: whole seconds, UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5). */
export function derTime(timeMs: number): Uint8Array {
  const year = Number(isoTime(timeMs).slice(0, 4))
  const digits = isoTime(timeMs).replaceAll(/[-:T]/g, '').slice(0, 14)
  if (year >= 1950 && year < 2050) return derElement(derTag.utcTime, utf8(`${digits.slice(2)}Z`))
  return derElement(derTag.generalizedTime, utf8(`${digits}Z`))
}

/** GeneralizedTime with a fraction only where milliseconds are not zero (RFC 3161 §2.4.2). */
export function derGeneralizedTime(timeMs: number): Uint8Array {
  const iso = isoTime(timeMs)
  const fraction = iso.slice(20, 23).replace(/0{1,3}$/, '')
  const seconds = iso.replaceAll(/[-:T]/g, '').slice(0, 14)
  return derElement(derTag.generalizedTime, utf8(fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`))
}

/** Explicit context tag around one encoded element. */
export function derExplicit(tag: number, element: Uint8Array): Uint8Array {
  return derElement(0xa0 | tag, element)
}

/** Implicit context tag in place of an encoded element's own tag. */
export function derImplicit(tag: number, element: Uint8Array): Uint8Array {
  const constructed = (element[0] as number) & 0x20
  return concatBytes(Uint8Array.of(0x80 | constructed | tag), element.subarray(1))
}

function isoTime(timeMs: number): string {
  if (!Number.isInteger(timeMs) || timeMs < -62_167_219_200_000 || timeMs > 253_402_300_799_999) {
    throw derMalformed('a time is outside the years 0 to 9999')
  }
  return new Date(timeMs).toISOString()
}

function asciiBytes(text: string): Uint8Array {
  const bytes = utf8(text)
  if (bytes.length !== text.length) throw derMalformed('text is not ASCII')
  return bytes
}

/** Bytes of the first byte and of the shortest form of the length (X.690 §10.1). */
export function derHeadLength(length: number): number {
  if (length < 0x80) return 2
  return length < 0x100 ? 3 : length < 0x1_0000 ? 4 : length < 0x100_0000 ? 5 : 6
}

/** Writes the length of an element that begins at `at` and has a head of `head` bytes, by `derHeadLength`. */
export function writeDerLength(into: Uint8Array, at: number, length: number, head: number): void {
  if (head === 2) {
    into[at + 1] = length
    return
  }
  into[at + 1] = 0x80 | (head - 2)
  let rest = length
  for (let i = at + head - 1; i > at + 1; i--) {
    into[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
}

function integerContent(value: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = value
  do {
    bytes.unshift(Number(rest & 0xffn))
    rest >>= 8n
  } while (!(rest === 0n && (bytes[0] as number) < 0x80) && !(rest === -1n && (bytes[0] as number) >= 0x80))
  return Uint8Array.from(bytes)
}

function arcBytes(arc: bigint): number[] {
  const bytes = [Number(arc & 0x7fn)]
  for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) bytes.unshift(Number(rest & 0x7fn) | 0x80)
  return bytes
}
