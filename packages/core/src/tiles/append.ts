/** Which tiles an append writes: pure, so that two who append the same leaves to the same tree write the same bytes. */
import { CountersignError } from '../failure.ts'
import { treeRoot, type NodeSource, type SyncHash, type TreeNode } from '../merkle/tree.ts'
import { tileWidth, widthInTree } from './path.ts'
import { emptyTile, extendTile, hashInTile, tileHeight, type Tile } from './tile.ts'

/** A tree as far as appending to it needs it: its size, and of each level the tile that is not full (width 0 to 255), lowest first. */
export type TreeEdge = { readonly size: number; readonly tiles: readonly Tile[] }

/** The tree without leaves. */
export const emptyEdge: TreeEdge = Object.freeze({ size: 0, tiles: [] })

/** A tile that an append changed, and where it stands. */
export type PlacedTile = { readonly level: number; readonly index: number; readonly tile: Tile }

/** What an append gives. */
export type Appended = {
  readonly edge: TreeEdge
  /** Every tile that the new tree has and the old one had not, or not as wide: full ones, and per level at most one partial. */
  readonly tiles: readonly PlacedTile[]
}

/** Appends leaf hashes, 32 bytes each. */
export function appendLeaves(primitives: SyncHash, edge: TreeEdge, leafHashes: readonly Uint8Array[]): Appended {
  const written: PlacedTile[] = []
  const tiles: Tile[] = []
  let added: readonly Uint8Array[] = leafHashes
  for (let level = 0; level < edge.tiles.length || added.length > 0; level++) {
    const grown = growLevel(primitives, edge, level, added)
    written.push(...grown.written)
    tiles.push(grown.rest)
    added = grown.roots
  }
  return { edge: { size: edge.size + leafHashes.length, tiles }, tiles: written }
}

type Grown = { readonly written: readonly PlacedTile[]; readonly rest: Tile; readonly roots: readonly Uint8Array[] }

function growLevel(primitives: SyncHash, edge: TreeEdge, level: number, added: readonly Uint8Array[]): Grown {
  const written: PlacedTile[] = []
  const roots: Uint8Array[] = []
  let tile = edge.tiles[level] ?? emptyTile
  let index = Math.floor(edge.size / tileWidth ** (level + 1))
  for (let at = 0; at < added.length;) {
    const part = added.slice(at, at + tileWidth - tile.width)
    at += part.length
    tile = extendTile(primitives, tile, part)
    written.push({ level, index, tile })
    if (tile.width < tileWidth) break
    roots.push(hashInTile(tile, tileHeight, 0))
    tile = emptyTile
    index++
  }
  return { written, rest: tile, roots }
}

/** The root of the tree. */
export function edgeRoot(primitives: SyncHash, edge: TreeEdge): Uint8Array {
  return treeRoot(primitives, edge.size, edgeNodes(edge))
}

/** Complete subtrees that are in the tiles of the edge; throws `internal` for others. */
function edgeNodes(edge: TreeEdge): NodeSource {
  return (node) => {
    const { level, index, height, position } = tileOf(node)
    const tile = edge.tiles[level]
    if (tile === undefined || index !== Math.floor(edge.size / tileWidth ** (level + 1))) {
      throw new CountersignError('internal', 'a hash outside the edge of the tree')
    }
    return hashInTile(tile, height, position)
  }
}

/** Where in the tiles a complete subtree is. */
export type NodePlace = {
  /** The tile. */
  readonly level: number
  readonly index: number
  /** Inside the tile: subtrees of 2^`height` of its hashes, and which of them. */
  readonly height: number
  readonly position: number
}

/** Finds the tile that holds a complete subtree. */
export function tileOf(node: TreeNode): NodePlace {
  const level = Math.floor(node.level / tileHeight)
  const height = node.level % tileHeight
  const perTile = tileWidth / 2 ** height
  return { level, index: Math.floor(node.index / perTile), height, position: node.index % perTile }
}

/** The tiles of the edge of a tree of `size` leaves that are not empty: what must be read to go on with it. */
export function edgeTiles(size: number): readonly { readonly level: number; readonly index: number; readonly width: number }[] {
  const tiles: { level: number; index: number; width: number }[] = []
  for (let level = 0; tileWidth ** level <= size; level++) {
    const index = Math.floor(size / tileWidth ** (level + 1))
    const width = widthInTree(size, level, index)
    if (width > 0) tiles.push({ level, index, width })
  }
  return tiles
}
