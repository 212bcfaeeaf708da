import { hash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { naiveRoot } from '@countersign/testkit/naive-root'
import { rootFromInclusionProof, verifyConsistency } from '../../src/merkle/proof.ts'
import {
  consistencyNodes,
  emptyRoot,
  hashLeaf,
  inclusionNodes,
  proofHashes,
  treeRoot,
  type NodeSource,
  type SyncHash,
} from '../../src/merkle/tree.ts'
import { appendLeaves, edgeRoot, edgeTiles, emptyEdge, tileOf, type TreeEdge } from '../../src/tiles/append.ts'
import { tilePath, tileWidth, widthInTree } from '../../src/tiles/path.ts'
import { hashInTile, readTile, tileBytes, type Tile } from '../../src/tiles/tile.ts'

const primitives: SyncHash = { hash: (algorithm, data) => new Uint8Array(hash(algorithm, data, 'buffer')) }

function leavesFrom(start: number, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => hashLeaf(primitives, new TextEncoder().encode(`entry ${start + i}`)))
}

/** Appends batches and keeps what would be written, by path. */
function grow(batches: readonly number[]): { edge: TreeEdge; leaves: Uint8Array[]; written: Map<string, Tile> } {
  const written = new Map<string, Tile>()
  const leaves: Uint8Array[] = []
  let edge = emptyEdge
  for (const count of batches) {
    const added = leavesFrom(leaves.length, count)
    const step = appendLeaves(primitives, edge, added)
    for (const { level, index, tile } of step.tiles) written.set(tilePath({ kind: 'hashes', level, index, width: tile.width }), tile)
    leaves.push(...added)
    edge = step.edge
  }
  return { edge, leaves, written }
}

/** Reads every hash from the tiles that a reader of this tree size may ask for, and no other. */
function readerOf(written: ReadonlyMap<string, Tile>, size: number): NodeSource {
  return (node) => {
    const { level, index, height, position } = tileOf(node)
    const path = tilePath({ kind: 'hashes', level, index, width: widthInTree(size, level, index) })
    const tile = written.get(path)
    if (tile === undefined) throw new RangeError(`no tile ${path}`)
    return hashInTile(readTile(primitives, tileBytes(tile), tile.width), height, position)
  }
}

const batches = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 6 })

describe('appending to a tree of tiles', () => {
  it('gives the root of RFC 6962 for every size up to 1,100, however the leaves came', () => {
    const { leaves } = grow([1100])
    const looked = new Set([...leaves.keys()].filter((size) => size % 97 === 0 || size < 20 || Math.abs((size % 256) - 1) < 3))
    let edge = emptyEdge
    const roots = leaves.map((leaf, size) => {
      const root = looked.has(size) ? edgeRoot(primitives, edge) : undefined
      edge = appendLeaves(primitives, edge, [leaf]).edge
      return root
    })
    expect(roots).toEqual(leaves.map((_, size) => (looked.has(size) ? naiveRoot(leaves.slice(0, size)) : undefined)))
  })

  it('makes every inclusion and consistency proof from the tiles of the size at hand alone', async () => {
    await fc.assert(
      fc.asyncProperty(batches, fc.nat(), fc.nat(), async (counts, a, b) => {
        const { edge, leaves, written } = grow(counts)
        const source = readerOf(written, edge.size)
        const root = naiveRoot(leaves)
        expect(edgeRoot(primitives, edge)).toEqual(root)
        expect(treeRoot(primitives, edge.size, source)).toEqual(root)
        const index = a % edge.size
        const hashes = proofHashes(primitives, inclusionNodes(index, edge.size), source)
        const claim = { leaf: leaves[index] as Uint8Array, index, treeSize: edge.size, hashes }
        expect(await rootFromInclusionProof(primitives, claim)).toEqual(root)
        const oldSize = 1 + (b % edge.size)
        const proof = proofHashes(primitives, consistencyNodes(oldSize, edge.size), source)
        const oldRoot = naiveRoot(leaves.slice(0, oldSize))
        expect(await verifyConsistency(primitives, { oldSize, oldRoot, newSize: edge.size, newRoot: root, hashes: proof })).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  it('writes the same tiles whether leaves come one by one or together, but for partial ones', () => {
    const full = (written: ReadonlyMap<string, Tile>): [string, string][] =>
      [...written]
        .filter(([, tile]) => tile.width === tileWidth)
        .map(([path, tile]) => [path, Buffer.from(tileBytes(tile)).toString('hex')])
    expect(full(grow(Array.from({ length: 600 }, () => 1)).written)).toEqual(full(grow([600]).written))
  })

  it('leaves for every size the partial tiles that tlog-tiles demands', () => {
    const { edge, written } = grow([255, 1, 1, 300, 65_000, 8])
    for (const { level, index, width } of edgeTiles(edge.size)) {
      expect(written.has(tilePath({ kind: 'hashes', level, index, width }))).toBe(true)
    }
    expect([...written.keys()].filter((path) => path.startsWith('tile/2'))).toEqual(['tile/2/000.p/1'])
  })

  it('goes on from tiles that were read as from those in memory', () => {
    const { edge, written } = grow([700, 130])
    const tiles: Tile[] = []
    for (const { level, index, width } of edgeTiles(edge.size)) {
      const tile = written.get(tilePath({ kind: 'hashes', level, index, width })) as Tile
      tiles[level] = readTile(primitives, tileBytes(tile), width)
    }
    const more = leavesFrom(edge.size, 500)
    expect(appendLeaves(primitives, { size: edge.size, tiles }, more)).toEqual(appendLeaves(primitives, edge, more))
  })

  it('has the hash of nothing as the root of the empty tree', () => {
    expect(edgeRoot(primitives, emptyEdge)).toEqual(emptyRoot(primitives))
    expect(Buffer.from(emptyRoot(primitives)).toString('hex')).toMatch(/^e3b0c44298fc1c14/)
  })

  it('refuses the bytes of a tile that are torn or too few', () => {
    const tile = new Uint8Array(64)
    expect(() => readTile(primitives, tile, 3)).toThrow(expect.objectContaining({ code: 'tile_malformed' }))
    expect(() => readTile(primitives, tile.subarray(0, 63), 1)).toThrow(expect.objectContaining({ code: 'tile_malformed' }))
    expect(readTile(primitives, tile, 1).width).toBe(1)
  })
})
