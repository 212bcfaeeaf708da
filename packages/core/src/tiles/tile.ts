/** One tile with every hash inside it: what is written are the 256 lowest, the others are computed once instead of for each proof. */
import { CountersignError } from '../failure.ts'
import { treeHashBytes } from '../merkle/proof.ts'
import { hashNode, type SyncHash } from '../merkle/tree.ts'
import { tileWidth } from './path.ts'

/** Levels of the tree inside a tile, the hash of the whole full tile being the ninth. */
export const tileHeight = 8

/** A tile of 0 to 256 hashes. A value: {@link extendTile} gives a new one. */
export type Tile = {
  readonly width: number
  /** 511 hashes: the 256 of the tile, 128 of pairs, … and that of the whole; zeros where there is nothing yet. */
  readonly hashes: Uint8Array
}

const allHashes = 2 * tileWidth - 1

/** The tile without hashes. */
export const emptyTile: Tile = Object.freeze({ width: 0, hashes: new Uint8Array(0) })

/** The tile with these hashes after those that it has; the caller gives no more than fit. */
export function extendTile(primitives: SyncHash, tile: Tile, added: readonly Uint8Array[]): Tile {
  if (added.length === 0) return tile
  const hashes = new Uint8Array(allHashes * treeHashBytes)
  hashes.set(tile.hashes)
  let { width } = tile
  for (const hash of added) {
    hashes.set(hash, width * treeHashBytes)
    completeParents(primitives, hashes, width)
    width++
  }
  return { width, hashes }
}

/** Every second hash completes a pair, every fourth a pair of pairs, and so on. */
function completeParents(primitives: SyncHash, hashes: Uint8Array, index: number): void {
  let position = index
  for (let height = 0; height < tileHeight && position % 2 === 1; height++) {
    const right = hashAt(hashes, height, position)
    position = (position - 1) / 2
    const parent = hashNode(primitives, hashAt(hashes, height, 2 * position), right)
    hashes.set(parent, offsetOf(height + 1, position))
  }
}

/** The `index`-th hash of a subtree of 2^`height` hashes of the tile, height 0 to 8; it must be complete. */
export function hashInTile(tile: Tile, height: number, index: number): Uint8Array {
  if ((index + 1) * 2 ** height > tile.width) throw new CountersignError('internal', 'a hash of a tile that is not complete yet')
  return hashAt(tile.hashes, height, index)
}

/** The bytes of a tile as they are served: its hashes one after the other. */
export function tileBytes(tile: Tile): Uint8Array {
  return tile.hashes.subarray(0, tile.width * treeHashBytes)
}

/** Reads the bytes of a tile; a full one may stand for the partial one of the same number. Throws `tile_malformed` when there are not `width` hashes. */
export function readTile(primitives: SyncHash, bytes: Uint8Array, width: number): Tile {
  if (bytes.length < width * treeHashBytes || bytes.length > tileWidth * treeHashBytes || bytes.length % treeHashBytes !== 0) {
    throw new CountersignError('tile_malformed', `a tile of ${bytes.length} bytes`, { expected: `${width * treeHashBytes} bytes` })
  }
  const hashes = Array.from({ length: width }, (_, i) => bytes.subarray(i * treeHashBytes, (i + 1) * treeHashBytes))
  return extendTile(primitives, emptyTile, hashes)
}

function hashAt(hashes: Uint8Array, height: number, index: number): Uint8Array {
  const offset = offsetOf(height, index)
  return hashes.subarray(offset, offset + treeHashBytes)
}

function offsetOf(height: number, index: number): number {
  return (2 * tileWidth - ((2 * tileWidth) >> height) + index) * treeHashBytes
}
