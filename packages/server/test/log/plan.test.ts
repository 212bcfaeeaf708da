import { describe, expect, it } from 'vitest'
import { utf8 } from '@countersign/core/bytes'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import { decodeLeaves, encodeLeaves, leavesOf } from '../../src/log/engine/plan.ts'
import { entryOf } from './logs.ts'

describe('entries as they are staged', () => {
  const leaves = leavesOf(serverPrimitives, 0, [entryOf('one'), entryOf('two')])

  it('are read back as they were written', () => {
    expect(decodeLeaves(2, encodeLeaves(leaves))).toEqual(leaves)
  })

  it.each<[string, number, Partial<ReturnType<typeof encodeLeaves>>]>([
    ['a hash that is not there', 2, { leaves: new Uint8Array(32) }],
    ['an entry that is not there', 3, { leaves: new Uint8Array(96) }],
    ['an entry that is cut off', 2, { entries: encodeLeaves(leaves).entries.subarray(0, -1) }],
  ])('are damaged with %s', (_, count, change) => {
    const row = { ...encodeLeaves(leaves), ...change }
    expect(() => decodeLeaves(count, row)).toThrow(expect.objectContaining({ code: expect.stringMatching(/log_damaged|tile_malformed/) }))
  })

  it('name their index in 40 bits', () => {
    const numbered = { offset: 1, leafPrefix: new Uint8Array(), leafBytes: 6 }
    const { data } = leavesOf(serverPrimitives, 3 * 2 ** 32 + 5, [{ ...entryOf('x.....y'), numbered }])
    expect(data).toEqual([Uint8Array.of(...utf8('x'), 3, 0, 0, 0, 5, ...utf8('y'))])
  })
})
