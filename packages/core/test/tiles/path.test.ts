import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { entryBundles, joinEntries, splitEntries } from '../../src/tiles/entry-bundle.ts'
import { parseTilePath, tilePath, widthInTree } from '../../src/tiles/path.ts'

describe('names of tiles', () => {
  it('are those of the examples in tlog-tiles', () => {
    expect(tilePath({ kind: 'hashes', level: 0, index: 1_234_067, width: 256 })).toBe('tile/0/x001/x234/067')
    expect(tilePath({ kind: 'hashes', level: 1, index: 273, width: 1 })).toBe('tile/1/273.p/1')
    expect(tilePath({ kind: 'entries', folder: 'entries', index: 0, width: 12 })).toBe('tile/entries/000.p/12')
    expect(tilePath({ kind: 'entries', folder: 'data', index: 1000, width: 256 })).toBe('tile/data/x001/000')
  })

  it('read back as they were', () => {
    const tile = fc.record({ level: fc.nat(63), index: fc.maxSafeNat(), width: fc.integer({ min: 1, max: 256 }) })
    fc.assert(
      fc.property(tile, ({ level, index, width }) => {
        const name = { kind: 'hashes' as const, level, index, width }
        expect(parseTilePath(tilePath(name))).toEqual(name)
      }),
    )
  })

  it.each([
    'tile/0/x000/001',
    'tile/00/001',
    'tile/64/000',
    'tile/0/1',
    'tile/0/x01/001',
    'tile/0/001.p/0',
    'tile/0/001.p/256',
    'tile/0/001.p/01',
    'tile/0/../../keys',
    'tile/other/001',
    'tile/0/x999/x999/x999/x999/x999/x999/999',
    '/tile/0/001',
    'tile/0/001/',
  ])('refuse a second spelling, or another path: %s', (path) => {
    expect(parseTilePath(path)).toBeUndefined()
  })

  it('know how wide a tile is in a tree', () => {
    expect(widthInTree(70_000, 0, 273)).toBe(112)
    expect(widthInTree(70_000, 0, 274)).toBe(0)
    expect(widthInTree(70_000, 1, 0)).toBe(256)
    expect(widthInTree(70_000, 1, 1)).toBe(17)
    expect(widthInTree(70_000, 2, 0)).toBe(1)
  })
})

describe('entry bundles', () => {
  it('put each entry after its length', () => {
    expect(joinEntries([Uint8Array.of(7), new Uint8Array(0), new Uint8Array(258)]).subarray(0, 7)).toEqual(
      Uint8Array.of(0, 1, 7, 0, 0, 1, 2),
    )
  })

  it('read back as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 256 }), (entries) => {
        expect(entryBundles.split(entryBundles.join(entries)).map((entry) => [...entry])).toEqual(entries.map((entry) => [...entry]))
      }),
    )
  })

  it('refuse what is cut off, has too many entries, or an entry that has no length', () => {
    const code = expect.objectContaining({ code: 'tile_malformed' }) as unknown as Error
    expect(() => splitEntries(Uint8Array.of(0, 2, 1))).toThrow(code)
    expect(() => splitEntries(Uint8Array.of(0))).toThrow(code)
    expect(() => splitEntries(new Uint8Array(2 * 257))).toThrow(code)
    expect(() => joinEntries([new Uint8Array(65_536)])).toThrow(code)
  })
})
