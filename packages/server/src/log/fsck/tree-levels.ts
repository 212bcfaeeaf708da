/** A tree grown leaf by leaf, of which only the right edge is in memory: its tiles as they become full, its root at any size. */
import { treeHashBytes } from '@countersign/core/merkle/proof'
import { edgeRoot, type TreeEdge } from '@countersign/core/tiles/append'
import { tileWidth } from '@countersign/core/tiles/path'
import { emptyTile, extendTile } from '@countersign/core/tiles/tile'
import { hashBytes, serverPrimitives } from '../../base/crypto/primitives.ts'

/** Told of each full tile, from the lowest level to the highest: its 8,192 bytes are overwritten afterwards. */
export type FullTile = (level: number, index: number, bytes: Uint8Array) => Promise<void>

/** A growing tree. */
export type TreeLevels = {
  readonly size: () => number
  /** Gives a promise where tiles became full. */
  readonly add: (leafHash: Uint8Array) => Promise<void> | undefined
  readonly edge: () => TreeEdge
  readonly root: () => Uint8Array
}

type Level = { readonly bytes: Uint8Array; width: number; index: number }

const node = new Uint8Array(1 + 2 * treeHashBytes)
node[0] = 1

/** The tree without leaves. */
export function treeLevels(full: FullTile): TreeLevels {
  const levels: Level[] = []
  let size = 0
  const push = (at: number, hash: Uint8Array): Promise<void> | undefined => {
    const level = (levels[at] ??= { bytes: new Uint8Array(tileWidth * treeHashBytes), width: 0, index: 0 })
    level.bytes.set(hash, level.width * treeHashBytes)
    level.width++
    return level.width < tileWidth ? undefined : complete(at, level)
  }
  const complete = async (at: number, level: Level): Promise<void> => {
    await full(at, level.index, level.bytes)
    const root = rootOfFull(level.bytes)
    level.width = 0
    level.index++
    await push(at + 1, root)
  }
  const edge = (): TreeEdge => ({
    size,
    tiles: levels.map(({ bytes, width }) => extendTile(serverPrimitives, emptyTile, hashesOf(bytes.slice(0, width * treeHashBytes)))),
  })
  return {
    size: () => size,
    add: (leafHash) => {
      size++
      return push(0, leafHash)
    },
    edge,
    root: () => edgeRoot(serverPrimitives, edge()),
  }
}

/** In place of `extendTile`, which also keeps what lies between: a quarter of the time where a million tiles are read once. */
function rootOfFull(tile: Uint8Array): Uint8Array {
  let hashes = tile
  for (let width = tileWidth / 2; width >= 1; width /= 2) {
    const parents = new Uint8Array(width * treeHashBytes)
    for (let i = 0; i < width; i++) {
      node.set(hashes.subarray(2 * i * treeHashBytes, (2 * i + 2) * treeHashBytes), 1)
      parents.set(hashBytes('sha256', node), i * treeHashBytes)
    }
    hashes = parents
  }
  return hashes
}

function hashesOf(bytes: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: bytes.length / treeHashBytes }, (_, i) => bytes.subarray(i * treeHashBytes, (i + 1) * treeHashBytes))
}
