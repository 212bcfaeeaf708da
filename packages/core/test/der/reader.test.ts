import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hexToBytes, utf8 } from '../../src/bytes.ts'
import {
  parseDer,
  readBitString,
  readBitStringBytes,
  readBoolean,
  readEnumerated,
  readExplicit,
  readInteger,
  readNull,
  readOid,
  readSequence,
  readSet,
  readSmallInteger,
  readString,
  readTimeMs,
  withDerCode,
  type DerNode,
} from '../../src/der/reader.ts'
import { CountersignError, type FailureCode } from '../../src/failure.ts'
import { refusal } from '../refusal.ts'

const der = (hex: string): DerNode => parseDer(hexToBytes(hex.replaceAll(' ', '')))

describe('an element of DER', () => {
  it('has the tag, form and content that its header says', () => {
    const node = der('30 05 02 01 07 05 00')
    expect(node).toMatchObject({ class: 'universal', tag: 16, constructed: true })
    expect(node.children().map((child) => child.tag)).toEqual([2, 5])
    expect(node.raw.length).toBe(7)
    expect(node.content).toEqual(hexToBytes('0201070500'))
  })

  it('may have a tag number above 30', () => {
    expect(der('9f 81 00 00')).toMatchObject({ class: 'context', tag: 128 })
    expect(der('9f 1f 00')).toMatchObject({ tag: 31 })
  })

  it('is a view of the input, not a copy', () => {
    const bytes = hexToBytes('3003020107')
    expect(parseDer(bytes).children()[0]?.content.buffer).toBe(bytes.buffer)
  })

  const refused: readonly (readonly [string, string])[] = [
    ['an indefinite length', '30 80 05 00 00 00'],
    ['a length padded with a zero byte', '04 81 00'],
    ['a short length in long form', '04 81 01 00'],
    ['a long length with leading zeros', `04 82 00 80 ${'00'.repeat(128)}`],
    ['a length of five bytes', '04 85 00 00 00 00 01 00'],
    ['a length beyond the input', '04 02 00'],
    ['a child that ends after its container', '30 03 04 02 00'],
    ['bytes after the element', '05 00 00'],
    ['an end-of-contents element', '00 00'],
    ['a constructed OCTET STRING', '24 02 04 00'],
    ['a primitive SEQUENCE', '10 00'],
    ['a primitive SET', '11 00'],
    ['a small tag number in long form', '9f 1e 00'],
    ['a padded tag number', '9f 80 1f 00'],
    ['a tag number of four bytes', '9f ff ff ff 7f 00'],
    ['nothing at all', ''],
    ['a tag without length', '30'],
  ]
  it.each(refused)('is refused when it has %s', (_, hex) => {
    expect(refusal(() => der(hex))).toBe('der_malformed')
  })

  it('is refused when nested more deeply than the limit, without exhausting the stack', () => {
    const nest = (levels: number): Uint8Array => hexToBytes(nested(levels))
    expect(refusal(() => parseDer(nest(33)))).toBe('der_too_deep')
    expect(refusal(() => parseDer(nest(32)))).toBeUndefined()
    expect(refusal(() => parseDer(nest(20_000)))).toBe('der_too_deep')
  })

  it('is refused when larger than the limit, before it is read', () => {
    expect(refusal(() => parseDer(new Uint8Array(11), { maxBytes: 10, maxDepth: 4 }))).toBe('der_too_large')
  })
})

/** Sequences inside sequences, as hex. */
function nested(levels: number): string {
  let hex = ''
  for (let i = 0; i < levels; i++) {
    const length = hex.length / 2
    const bytes = length < 0x80 ? '' : length.toString(16).padStart(length < 256 ? 2 : length < 65_536 ? 4 : 6, '0')
    hex = `30${bytes === '' ? length.toString(16).padStart(2, '0') : (0x80 + bytes.length / 2).toString(16) + bytes}${hex}`
  }
  return hex
}

describe('a value of DER', () => {
  it('is read as what it says', () => {
    expect(readBoolean(der('01 01 ff'))).toBe(true)
    expect(readBoolean(der('01 01 00'))).toBe(false)
    expect(readSmallInteger(der('02 02 01 00'))).toBe(256)
    expect(readEnumerated(der('0a 01 05'))).toBe(5)
    expect(readInteger(der('02 02 00 80'))).toEqual(hexToBytes('0080'))
    expect(readOid(der('06 09 2a 86 48 86 f7 0d 01 01 0b'))).toBe('1.2.840.113549.1.1.11')
    expect(readOid(der('06 03 88 37 03'))).toBe('2.999.3')
    expect(readBitString(der('03 02 05 a0'))).toEqual({ bytes: hexToBytes('a0'), unusedBits: 5 })
    expect(readBitStringBytes(der('03 02 00 a0'))).toEqual(hexToBytes('a0'))
    expect(readSet(der('31 06 02 01 01 02 01 02')).length).toBe(2)
    expect(readSmallInteger(readExplicit(der('a1 03 02 01 09'), 1))).toBe(9)
    expect(readNull(der('05 00'))).toBeUndefined()
  })

  it('is text in each of the string types', () => {
    expect(readString(der('0c 02 c3 a9'))).toBe('é')
    expect(readString(der('13 01 41'))).toBe('A')
    expect(readString(der('16 01 40'))).toBe('@')
    expect(readString(der('14 01 e9'))).toBe('é')
    expect(readString(der('1e 02 00 e9'))).toBe('é')
  })

  const refused: readonly (readonly [string, string, (node: DerNode) => unknown])[] = [
    ['a BOOLEAN that is neither 00 nor FF', '01 01 01', readBoolean],
    ['a BOOLEAN of two bytes', '01 02 ff ff', readBoolean],
    ['an INTEGER with a leading zero byte', '02 02 00 7f', readInteger],
    ['a negative INTEGER with a leading FF byte', '02 02 ff 80', readInteger],
    ['an empty INTEGER', '02 00', readInteger],
    ['a negative INTEGER where none may be', '02 01 80', readSmallInteger],
    ['an INTEGER above 2^53-1', '02 07 20 00 00 00 00 00 00', readSmallInteger],
    ['an INTEGER in place of an ENUMERATED', '02 01 00', readEnumerated],
    ['an empty object identifier', '06 00', readOid],
    ['an object identifier with a padded arc', '06 03 2a 80 01', readOid],
    ['an object identifier that ends inside an arc', '06 02 2a 86', readOid],
    ['an object identifier beyond 128 bytes', `06 81 81 ${'2a'.repeat(129)}`, readOid],
    ['a BIT STRING without a count of unused bits', '03 00', readBitString],
    ['a BIT STRING with eight unused bits', '03 02 08 00', readBitString],
    ['a BIT STRING with unused bits of nothing', '03 01 01', readBitString],
    ['a BIT STRING with unused bits that are set', '03 02 05 a1', readBitString],
    ['a BIT STRING with a broken byte where whole bytes belong', '03 02 05 a0', readBitStringBytes],
    ['a SET that is not sorted', '31 06 02 01 02 02 01 01', readSet],
    ['a NULL with content', '05 01 00', readNull],
    ['a SEQUENCE in place of a SET', '30 00', readSet],
    ['a SET in place of a SEQUENCE', '31 00', readSequence],
    ['a string with a byte that is not ASCII', '16 01 80', readString],
    ['a BMPString of odd length', '1e 01 00', readString],
    ['an OCTET STRING in place of text', '04 01 41', readString],
    ['an explicit tag around two elements', 'a0 04 05 00 05 00', (node) => readExplicit(node, 0)],
    ['an explicit tag around nothing', 'a0 00', (node) => readExplicit(node, 0)],
    ['another explicit tag', 'a1 02 05 00', (node) => readExplicit(node, 0)],
    ['a primitive element asked for its children', '04 00', (node) => node.children()],
  ]
  it.each(refused)('is refused when it is %s', (_, hex, read) => {
    expect(refusal(() => read(der(hex)))).toBe('der_malformed')
  })

  it('is refused as utf8_malformed when a UTF8String is not UTF-8', () => {
    expect(refusal(() => readString(der('0c 01 ff')))).toBe('utf8_malformed')
  })
})

describe('a time of DER', () => {
  const utc = (text: string): number => readTimeMs(parseDer(Uint8Array.of(23, text.length, ...utf8(text))))
  const generalized = (text: string): number => readTimeMs(parseDer(Uint8Array.of(24, text.length, ...utf8(text))))

  it('is Unix milliseconds', () => {
    expect(utc('260228235959Z')).toBe(Date.UTC(2026, 1, 28, 23, 59, 59))
    expect(utc('491231235959Z')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59))
    expect(utc('500101000000Z')).toBe(Date.UTC(1950, 0, 1))
    expect(generalized('20240229120000Z')).toBe(Date.UTC(2024, 1, 29, 12))
    expect(generalized('99991231235959Z')).toBe(Date.UTC(9999, 11, 31, 23, 59, 59))
    expect(generalized('20260101000000.25Z')).toBe(Date.UTC(2026, 0, 1) + 250)
    expect(generalized('20260101000000.123456789Z')).toBe(Date.UTC(2026, 0, 1) + 123)
  })

  it('agrees with the calendar of the platform on every day', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date('0100-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }), (date) => {
        const digits = date.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)
        expect(generalized(`${digits}Z`)).toBe(Math.floor(date.getTime() / 1000) * 1000)
      }),
    )
  })

  it.each([
    '2602282359Z',
    '260228235959',
    '260228235959+0000',
    '260229000000Z',
    '261301000000Z',
    '260100000000Z',
    '260101240000Z',
    '260101006000Z',
    '260101000060Z',
    '26010100000 Z',
  ])('is refused as UTCTime %s', (text) => expect(refusal(() => utc(text))).toBe('der_malformed'))

  it.each([
    '20260101000000',
    '20260101000000.Z',
    '20260101000000.10Z',
    '20260101000000.0Z',
    '20260101000000,5Z',
    '20260101000000+0100',
    '202601010000Z',
    '20260101000000.1234567891Z',
    '21000229000000Z',
  ])('is refused as GeneralizedTime %s', (text) => expect(refusal(() => generalized(text))).toBe('der_malformed'))
})

describe('the reader', () => {
  it('never fails otherwise than with a code, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect([undefined, 'der_malformed', 'der_too_deep']).toContain(refusal(() => parseDer(bytes)))
      }),
      { numRuns: 2000 },
    )
  })

  it('names the structure that was being read, and keeps the limits apart', () => {
    const read = (code: FailureCode): FailureCode | undefined =>
      refusal(() =>
        withDerCode('certificate_malformed', 'a thing', () => {
          throw new CountersignError(code, 'inner')
        }),
      )
    expect(read('der_malformed')).toBe('certificate_malformed')
    expect(read('utf8_malformed')).toBe('certificate_malformed')
    expect(read('der_too_large')).toBe('der_too_large')
  })
})
