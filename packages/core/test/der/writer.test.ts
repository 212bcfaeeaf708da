import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToHex, compareBytes } from '../../src/bytes.ts'
import {
  parseDer,
  readBitString,
  readBoolean,
  readEnumerated,
  readExplicit,
  readGeneralizedTimeMs,
  readInteger,
  readNull,
  readOctetString,
  readOid,
  readSequence,
  readSet,
  readSmallInteger,
  readString,
  readTimeMs,
} from '../../src/der/reader.ts'
import {
  derBitString,
  derBoolean,
  derEnumerated,
  derExplicit,
  derGeneralizedTime,
  derIa5String,
  derImplicit,
  derInteger,
  derNamedBits,
  derNull,
  derOctetString,
  derOid,
  derPrintableString,
  derSequence,
  derSet,
  derTime,
  derUnsignedInteger,
  derUtf8String,
} from '../../src/der/writer.ts'
import { CountersignError } from '../../src/failure.ts'

const arc = fc.bigInt({ min: 0n, max: 2n ** 128n })
const dotted = fc
  .tuple(fc.constantFrom(0n, 1n, 2n), arc, fc.array(arc, { maxLength: 4 }))
  .map(([root, second, rest]) => [root, root < 2n ? second % 40n : second, ...rest].join('.'))

describe('what the writer writes, the reader reads', () => {
  it('for integers', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), (value) => {
        const content = readInteger(parseDer(derInteger(value)))
        expect(BigInt.asIntN(content.length * 8, BigInt(`0x${bytesToHex(content)}`))).toBe(value)
      }),
    )
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(readSmallInteger(parseDer(derInteger(value)))).toBe(value)
      }),
    )
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(readEnumerated(parseDer(derEnumerated(value)))).toBe(value)
      }),
    )
  })

  it('for unsigned magnitudes, whatever zeros lead them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (magnitude) => {
        const value = magnitude.length === 0 ? 0n : BigInt(`0x${bytesToHex(magnitude)}`)
        expect(derUnsignedInteger(magnitude)).toEqual(derInteger(value))
      }),
    )
  })

  it('for object identifiers', () => {
    fc.assert(
      fc.property(dotted, (oid) => {
        expect(readOid(parseDer(derOid(oid)))).toBe(oid)
      }),
    )
  })

  it('for strings, bits, booleans and nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(readString(parseDer(derUtf8String(text)))).toBe(text)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(readOctetString(parseDer(derOctetString(bytes)))).toEqual(bytes)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(readBitString(parseDer(derBitString(bytes))).bytes).toEqual(bytes)
      }),
    )
    expect(readString(parseDer(derIa5String('a@b')))).toBe('a@b')
    expect(readString(parseDer(derPrintableString('AT')))).toBe('AT')
    expect(readBoolean(parseDer(derBoolean(false)))).toBe(false)
    expect(readNull(parseDer(derNull()))).toBeUndefined()
  })

  it('for lengths on both sides of each boundary', () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      expect(readOctetString(parseDer(derOctetString(new Uint8Array(length)))).length).toBe(length)
    }
  })

  it('for named bits', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(20)), (bits) => {
        const { bytes, unusedBits } = readBitString(parseDer(derNamedBits(bits)))
        const set = Array.from({ length: bytes.length * 8 - unusedBits }, (_, i) => i).filter(
          (i) => (((bytes[i >> 3] as number) << (i & 7)) & 0x80) !== 0,
        )
        expect(set).toEqual(bits.toSorted((a, b) => a - b))
      }),
    )
  })

  it('for times', () => {
    const seconds = fc.integer({ min: -62_135_596_800, max: 253_402_300_799 })
    fc.assert(
      fc.property(seconds, (s) => {
        expect(readTimeMs(parseDer(derTime(s * 1000)))).toBe(s * 1000)
      }),
    )
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), (ms) => {
        expect(readGeneralizedTimeMs(parseDer(derGeneralizedTime(ms)))).toBe(ms)
      }),
    )
  })

  it('for sets, sorted, and sequences, in order', () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 4 }).map(derOctetString))
    fc.assert(
      fc.property(parts, (elements) => {
        expect(readSet(parseDer(derSet(...elements))).map((each) => each.raw)).toEqual(elements.toSorted(compareBytes))
        expect(readSequence(parseDer(derSequence(...elements))).map((each) => each.raw)).toEqual(elements)
      }),
    )
  })

  it('for explicit and implicit tags', () => {
    expect(readSmallInteger(readExplicit(parseDer(derExplicit(3, derInteger(5))), 3))).toBe(5)
    expect(parseDer(derImplicit(2, derOctetString(Uint8Array.of(9))))).toMatchObject({ class: 'context', tag: 2, constructed: false })
    expect(parseDer(derImplicit(0, derSequence()))).toMatchObject({ class: 'context', tag: 0, constructed: true })
  })
})

describe('the writer refuses', () => {
  it.each(['', '1', '3.1', '1.40', '1.2.', '1.02', '1.2.x', '-1.2'])('the object identifier "%s"', (text) => {
    expect(() => derOid(text)).toThrow(CountersignError)
  })

  it('text outside ASCII where ASCII belongs, and times outside four digits of year', () => {
    expect(() => derIa5String('é')).toThrow(CountersignError)
    expect(() => derTime(Number.NaN)).toThrow(CountersignError)
    expect(() => derTime(253_402_300_800_000)).toThrow(CountersignError)
  })
})
