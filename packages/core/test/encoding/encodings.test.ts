import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { base64ToBytes, base64UrlToBytes, bytesToBase64, textToBase64 } from '@countersign/core/base64'
import { bytesToHex, collectBytes, compareBytes, concatBytes, equalBytes, fromUtf8, hexToBytes, utf8 } from '@countersign/core/bytes'
import { digestBytes, digestFromBytes, parseDigest, type Digest } from '@countersign/core/digest'
import { refusal } from '../refusal.ts'

const bytes = fc.uint8Array({ maxLength: 200 })

describe('parts of a stream', () => {
  it('are joined in their order, whatever their sizes', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1, 3, 16_383, 16_384, 16_385, 65_536, 70_000), { maxLength: 12 }), (sizes) => {
        const parts = sizes.map((size, at) => new Uint8Array(size).fill(at + 1))
        const collected = collectBytes()
        for (const part of parts) collected.add(part)
        expect(equalBytes(collected.join(), new Uint8Array(Buffer.concat(parts)))).toBe(true)
      }),
      { numRuns: 50 },
    )
  })

  it('attack: that are very many single bytes neither overflow the stack nor keep more memory than they have', () => {
    const collected = collectBytes()
    for (let n = 0; n < 300_000; n++) collected.add(Uint8Array.of(n % 251))
    expect(collected.join()).toHaveLength(300_000)
    const one = collectBytes()
    one.add(Uint8Array.of(7))
    expect(one.join().buffer.byteLength).toBe(1)
  })
})

describe('base64', () => {
  it('is what Node writes, and reads back', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        const text = bytesToBase64(value)
        expect(text).toBe(Buffer.from(value).toString('base64'))
        expect(base64ToBytes(text)).toEqual(value)
        expect(base64UrlToBytes(text.replaceAll('+', '-').replaceAll('/', '_'))).toEqual(value)
      }),
    )
  })

  it.each(['Q', 'QQ', 'QQ=', 'QQ===', 'QR==', 'QUF=', '=QQ=', 'QQ==QQ==', 'Q Q=', 'QQ==\n', 'QQ-_', 'Q\u00e9==', '===='])(
    'attack: %j would be a second spelling of some bytes',
    (text) => {
      expect(refusal(() => base64ToBytes(text))).toBe('base64_malformed')
    },
  )

  // Longer than what is decoded at once; one begins like text, the other does not.
  const lengths = [191, 192, 193, 12_287, 12_288, 12_289, 40_000, 40_001, 40_002]
  it.each(lengths)('reads back %d bytes, of ASCII, of any kind, and of ASCII with another byte in it', (length) => {
    const ascii = new Uint8Array(length).map((_, at) => at % 0x80)
    const any = ascii.map((byte) => (byte * 7 + 200) & 0xff)
    for (const value of [ascii, any, ascii.with(length - 1, 0x80), ascii.with(length >> 1, 0xff)]) {
      expect(equalBytes(base64ToBytes(Buffer.from(value).toString('base64')), value)).toBe(true)
    }
  })

  it.each([300, 40_000])('attack: a text of %d characters has no second spelling either, whatever the platform would forgive', (length) => {
    const right = Buffer.alloc((length / 4) * 3 - 2, 'text').toString('base64')
    expect(right).toMatch(/[AQgw]==$/)
    const put = (at: number, characters: string): string => right.slice(0, at) + characters + right.slice(at + characters.length)
    const wrong = [
      right.slice(0, -2),
      `${right.slice(0, -3)}h==`,
      `${right.slice(0, -3)}==g`,
      ...[4, length >> 1, length - 8, 16_384, 16_382].flatMap((at) =>
        at > length ? [] : [' ', '    ', '\n', '\t\r\n\f', '=', '==', '-', '_', '\u00e9', '\u2014', '\0'].map((found) => put(at, found)),
      ),
      `${right.slice(0, 100)}    ${right.slice(100)}`,
      `    ${right}`,
      `${right}    `,
    ]
    for (const text of wrong) expect(refusal(() => base64ToBytes(text))).toBe('base64_malformed')
  })

  it('of a text is that of its bytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary-ascii' })), (text) => {
        expect(textToBase64(utf8(text))).toBe(Buffer.from(text).toString('base64'))
      }),
    )
  })

  it('refuses both alphabets in one text', () => {
    expect(refusal(() => base64UrlToBytes('+_=='))).toBe('base64_malformed')
  })

  it('reads and writes megabytes', () => {
    const large = new Uint8Array(5_000_000).fill(0xa5)
    expect(equalBytes(base64ToBytes(bytesToBase64(large)), large)).toBe(true)
  })
})

describe('hex and UTF-8', () => {
  it('read back what they write', () => {
    fc.assert(
      fc.property(bytes, fc.string({ unit: 'binary' }), (value, text) => {
        expect(hexToBytes(bytesToHex(value))).toEqual(value)
        expect(fromUtf8(utf8(text))).toBe(text)
      }),
    )
  })

  it.each(['a', 'AB', 'zz', '0x00', ' 00'])('refuse %j as hex', (text) => {
    expect(refusal(() => hexToBytes(text))).toBe('hex_malformed')
  })

  it('refuse overlong and cut UTF-8', () => {
    expect(refusal(() => fromUtf8(Uint8Array.of(0xc0, 0x80)))).toBe('utf8_malformed')
    expect(refusal(() => fromUtf8(Uint8Array.of(0xe2, 0x82)))).toBe('utf8_malformed')
  })
})

describe('byte strings', () => {
  it('compare by content and order by unsigned bytes', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0)
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))
        expect(concatBytes(a, b)).toEqual(new Uint8Array(Buffer.concat([a, b])))
      }),
    )
  })
})

describe('digests', () => {
  it('are read only in canonical form', () => {
    const hex = 'ab'.repeat(32)
    expect(parseDigest(`sha256:${hex}`)).toBe(`sha256:${hex}`)
    for (const text of [
      `SHA256:${hex}`,
      `sha256:${hex.toUpperCase()}`,
      `sha256:${hex}00`,
      `sha1:${'ab'.repeat(20)}`,
      `sha512:${hex}`,
      hex,
      `sha256:${hex}\n`,
    ]) {
      expect(parseDigest(text)).toBeUndefined()
    }
  })

  it('go to bytes and back', () => {
    const digest = `sha384:${'0f'.repeat(48)}` as Digest
    expect(digestFromBytes('sha384', digestBytes(digest))).toBe(digest)
    expect(digestFromBytes('sha256', digestBytes(digest))).toBeUndefined()
  })
})
