import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { derBackward, putBytes, putHead, writtenBytes } from '../../src/der/backward.ts'
import { derOctetString, derSequence } from '../../src/der/writer.ts'
import { refusal } from '../refusal.ts'

const [octetString, sequence] = [0x04, 0x30]
/** Both sides of every length at which the head grows. */
const lengths = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000))

describe('DER that is written from its end', () => {
  it('is what the writer writes forwards', () => {
    fc.assert(
      fc.property(lengths, lengths, (first, second) => {
        const [a, b] = [new Uint8Array(first).fill(1), new Uint8Array(second).fill(2)]
        const to = derBackward(a.length + b.length + 30)
        const end = to.from
        putBytes(to, b)
        putHead(to, octetString, end)
        const middle = to.from
        putBytes(to, a)
        putHead(to, octetString, middle)
        putHead(to, sequence, end)
        expect(writtenBytes(to)).toEqual(derSequence(derOctetString(a), derOctetString(b)))
      }),
      { numRuns: 200 },
    )
  })

  it('never loses a byte where its place is too small', () => {
    const to = derBackward(4)
    expect(refusal(() => putBytes(to, new Uint8Array(5)))).toBe('internal')
    const full = derBackward(4)
    putBytes(full, new Uint8Array(3))
    expect(refusal(() => putHead(full, octetString, 4))).toBe('internal')
  })
})
