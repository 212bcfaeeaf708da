import { describe, expect, it } from 'vitest'
import { createExactMemory, type ExactMemory } from '../../src/verify/exact-memory.ts'

const part = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes)
const keep = (memory: ExactMemory<number>, value: number, ...parts: Uint8Array[]): number => memory.note('', parts, () => value)

describe('a memory that is full', () => {
  it('forgets what was not asked for longest: asking keeps, and asking for what is not there changes nothing', () => {
    const memory = createExactMemory<number>(3, 100)
    for (const value of [1, 2, 3]) keep(memory, value, part(value))
    expect(memory.recall('', [part(1)])).toBe(1)
    expect(memory.recall('', [part(9)])).toBeUndefined()
    expect(memory.recall('other', [part(2)])).toBeUndefined()
    keep(memory, 4, part(4))
    expect([1, 2, 3, 4].map((value) => memory.recall('', [part(value)]))).toEqual([1, undefined, 3, 4])
    expect(memory.size()).toBe(3)
  })

  it('holds as many as it may, and not one less', () => {
    const memory = createExactMemory<number>(2, 100)
    for (const value of [1, 2]) keep(memory, value, part(value))
    expect([1, 2].map((value) => memory.recall('', [part(value)]))).toEqual([1, 2])
  })
})

describe('what is kept', () => {
  it('is at most so many bytes, all parts together', () => {
    const memory = createExactMemory<number>(9, 10)
    keep(memory, 1, new Uint8Array(4), new Uint8Array(6))
    keep(memory, 2, new Uint8Array(5), new Uint8Array(6))
    expect([memory.recall('', [new Uint8Array(4), new Uint8Array(6)]), memory.recall('', [new Uint8Array(5), new Uint8Array(6)])]).toEqual([
      1,
      undefined,
    ])
  })

  it('is under a copy: attack: what the caller writes into his bytes later is not under it', () => {
    const memory = createExactMemory<Uint8Array>(9, 100)
    const bytes = part(1, 2, 3)
    const own = memory.note('', [bytes], ([copy]) => copy as Uint8Array)
    bytes[0] = 9
    expect(own).toEqual(part(1, 2, 3))
    expect(memory.recall('', [part(9, 2, 3)])).toBeUndefined()
    expect(memory.recall('', [part(1, 2, 3)])).toBe(own)
  })

  it('of parts that are cut at another place is something else', () => {
    const memory = createExactMemory<number>(9, 100)
    keep(memory, 1, part(1, 2), part(3))
    expect([
      memory.recall('', [part(1), part(2, 3)]),
      memory.recall('', [part(1, 2, 3)]),
      memory.recall('', [part(1, 2), part(3)]),
    ]).toEqual([undefined, undefined, 1])
  })

  it('is found by where its parts end: a thousand of them are all there', () => {
    const memory = createExactMemory<number>(1_000, 100)
    for (let value = 0; value < 1_000; value++) keep(memory, value, new Uint8Array(20).fill(7, 0, 12), part(value & 0xff, value >> 8))
    expect(memory.size()).toBe(1_000)
    const last = createExactMemory<number>(300, 100)
    for (let value = 0; value < 256; value++) keep(last, value, new Uint8Array(20).with(12, value))
    expect(last.size()).toBe(256)
    const lengths = createExactMemory<number>(300, 1_000)
    for (let value = 8; value < 100; value++) keep(lengths, value, new Uint8Array(value))
    expect(lengths.size()).toBe(92)
  })
})
