/** The tiles of one tree in the blob store, and a bounded memory of those that were read or written last. */
import { CountersignError } from '@countersign/core/failure'
import { treeHashBytes } from '@countersign/core/merkle/proof'
import { consistencyNodes, inclusionNodes, proofHashes, type NodeSource, type SyncHash, type TreeNode } from '@countersign/core/merkle/tree'
import { edgeRoot, edgeTiles, tileOf, type PlacedTile, type TreeEdge } from '@countersign/core/tiles/append'
import type { EntryFormat } from '@countersign/core/tiles/entry-bundle'
import { tilePath, tileWidth, widthInTree, type TileName } from '@countersign/core/tiles/path'
import { emptyTile, hashInTile, readTile, type Tile } from '@countersign/core/tiles/tile'
import type { BlobStore } from '../../base/blobs/blob-store.ts'
import { sharedReads } from './shared-reads.ts'
import { sharedBytes } from './shared-bytes.ts'
import type { TreeState } from './plan.ts'
import { tileKey, tileMemory } from './tile-memory.ts'

/** The files of a tree. */
export type TreeFiles = {
  /** Writes tiles and bundles; durable when it resolves. The bytes of a path never change, so that writing again is harmless. */
  readonly write: (files: readonly { readonly path: string; readonly bytes: Uint8Array }[]) => Promise<void>
  /** Keeps tiles in memory for the proofs to come. */
  readonly remember: (tiles: readonly PlacedTile[]) => void
  /** The state of the tree of this size, from its tiles. Throws `log_damaged`, naming the tile. */
  readonly load: (size: number) => Promise<TreeState>
  /** Entries of one bundle in the tree of this size. Throws `log_damaged`. */
  readonly entries: (index: number, size: number) => Promise<readonly Uint8Array[]>
  /** The bytes of a tile or bundle as it was when it was so wide; `undefined` when there is none. */
  readonly read: (name: TileName) => Promise<Uint8Array | undefined>
  /** The same, for those who read the log: throws `log_damaged` for a torn one, which caches would keep for ever. */
  readonly readWhole: (name: TileName) => Promise<Uint8Array | undefined>
  readonly remove: (paths: readonly string[]) => Promise<void>
  /** An inclusion proof from tiles in memory; `undefined` when one is missing there. */
  readonly inclusionNow: (index: number, size: number) => readonly Uint8Array[] | undefined
  readonly inclusion: (index: number, size: number) => Promise<readonly Uint8Array[]>
  readonly consistency: (first: number, second: number) => Promise<readonly Uint8Array[]>
}

/** Bundles that are read at once, for whoever asks. */
const bundlesAtOnce = 4

/** Opens the files below `folder`, which ends with a slash. */
export function treeFiles(primitives: SyncHash, blobs: BlobStore, folder: string, format: EntryFormat): TreeFiles {
  const memory = tileMemory()
  const read = (name: TileName): Promise<Uint8Array | undefined> => readFile(blobs, folder, format, name)
  const tile: TileReader = async (level, index, width) => {
    const known = memory.get(level, index, width)
    if (known !== undefined) return known
    const name: TileName = { kind: 'hashes', level, index, width }
    const found = await readSoundly(name, async () => {
      const bytes = await read(name)
      return bytes === undefined ? undefined : readTile(primitives, bytes, width)
    })
    memory.add(level, index, found)
    return found
  }
  const entries = async (index: number, size: number): Promise<readonly Uint8Array[]> => {
    const name: TileName = { kind: 'entries', folder: format.folder, index, width: widthInTree(size, 0, index) }
    return readSoundly(name, async () => {
      const bytes = await read(name)
      const split = bytes === undefined ? undefined : format.split(bytes)
      if (split !== undefined && split.length !== name.width) throw new CountersignError('tile_malformed', `${split.length} entries`)
      return split
    })
  }
  const asked = sharedReads<readonly Uint8Array[]>(bundlesAtOnce)
  const whole = sharedBytes(bundlesAtOnce)
  const readAny: TreeFiles['read'] = (name) => (name.kind === 'entries' ? whole(tilePath(name), () => read(name)) : read(name))
  return {
    write: async (files) => {
      await Promise.all(files.map(async ({ path, bytes }) => blobs.put(`${folder}${path}`, bytes)))
    },
    remember: (tiles) => {
      for (const { level, index, tile: one } of tiles) memory.add(level, index, one)
    },
    // Past those who wait for bundles: nobody's requests keep the log from going on.
    load: (size) => {
      // From the disk and not from memory: this is how damage is found.
      memory.clear()
      return loadState(primitives, size, tile, entries)
    },
    entries: (index, size) => asked(`${index} ${widthInTree(size, 0, index)}`, () => entries(index, size)),
    read: readAny,
    readWhole: async (name) => {
      const bytes = await readAny(name)
      if (bytes === undefined) return undefined
      return readSoundly(name, async () => {
        if (!isWhole(format, name, bytes)) throw new CountersignError('tile_malformed', `${bytes.length} bytes`)
        return bytes
      })
    },
    remove: async (paths) => {
      await Promise.all(paths.map(async (path) => blobs.remove(`${folder}${path}`)))
    },
    inclusionNow: (index, size) => {
      try {
        return proofHashes(
          primitives,
          inclusionNodes(index, size),
          sourceOf(size, (at) => memory.get(at.level, at.index, at.width)),
        )
      } catch (cause) {
        if (cause instanceof CountersignError && cause.code === 'tile_malformed') return undefined
        throw cause
      }
    },
    inclusion: async (index, size) => proofFrom(primitives, tile, inclusionNodes(index, size), size),
    consistency: async (first, second) => proofFrom(primitives, tile, consistencyNodes(first, second), second),
  }
}

type TileReader = (level: number, index: number, width: number) => Promise<Tile>

/** A proof from tiles that are read for it, each once. */
async function proofFrom(
  primitives: SyncHash,
  tile: TileReader,
  nodes: readonly (readonly TreeNode[])[],
  size: number,
): Promise<readonly Uint8Array[]> {
  const places = nodes.flat().map((node) => tileAt(node, size))
  const needed = new Map(places.map((place) => [place.key, place]))
  const loaded = new Map(
    await Promise.all([...needed.values()].map(async ({ key, level, index, width }) => [key, await tile(level, index, width)] as const)),
  )
  return proofHashes(
    primitives,
    nodes,
    sourceOf(size, ({ key }) => loaded.get(key)),
  )
}

type TilePlace = {
  readonly key: string
  readonly level: number
  readonly index: number
  readonly width: number
  readonly height: number
  readonly position: number
}

function tileAt(node: TreeNode, size: number): TilePlace {
  const place = tileOf(node)
  const width = widthInTree(size, place.level, place.index)
  return { ...place, width, key: tileKey(place.level, place.index, width) }
}

function sourceOf(size: number, find: (place: TilePlace) => Tile | undefined): NodeSource {
  return (node) => {
    const place = tileAt(node, size)
    const tile = find(place)
    if (tile === undefined) throw new CountersignError('tile_malformed', `tile ${place.key} is not at hand`)
    return hashInTile(tile, place.height, place.position)
  }
}

/** Partial files are removed once their full one is there, which holds the same bytes first. */
async function readFile(blobs: BlobStore, folder: string, format: EntryFormat, name: TileName): Promise<Uint8Array | undefined> {
  const bytes = await blobs.get(`${folder}${tilePath(name)}`)
  if (bytes !== undefined || name.width === tileWidth) return bytes
  const full = await blobs.get(`${folder}${tilePath({ ...name, width: tileWidth })}`)
  if (full === undefined) return undefined
  return name.kind === 'hashes' ? full.subarray(0, name.width * treeHashBytes) : format.join(format.split(full).slice(0, name.width))
}

function isWhole(format: EntryFormat, name: TileName, bytes: Uint8Array): boolean {
  return name.kind === 'hashes' ? bytes.length === name.width * treeHashBytes : format.split(bytes).length === name.width
}

async function readSoundly<T>(name: TileName, read: () => Promise<T | undefined>): Promise<T> {
  let cause: unknown
  try {
    const found = await read()
    if (found !== undefined) return found
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown.code !== 'tile_malformed') throw thrown
    cause = thrown
  }
  const what = cause === undefined ? 'is missing' : 'is not what was written'
  const parts = { hint: 'Restore the data folder from a backup; the log is not continued from what is left.' }
  throw new CountersignError('log_damaged', `${tilePath(name)} ${what}`, cause === undefined ? parts : { ...parts, cause })
}

async function loadState(primitives: SyncHash, size: number, tile: TileReader, entries: TreeFiles['entries']): Promise<TreeState> {
  const found = await Promise.all(edgeTiles(size).map(async ({ level, index, width }) => [level, await tile(level, index, width)] as const))
  const highest = Math.max(-1, ...found.map(([level]) => level))
  const tiles = Array.from({ length: highest + 1 }, (_, level) => found.find(([at]) => at === level)?.[1] ?? emptyTile)
  const edge: TreeEdge = { size, tiles }
  const index = Math.floor(size / tileWidth)
  const bundle = size % tileWidth === 0 ? [] : await entries(index, size)
  return { edge, rootHash: edgeRoot(primitives, edge), bundle }
}

/** Tiles of the edge with their places, to be remembered: proofs of new entries need them. */
export function placedEdge(edge: TreeEdge): readonly PlacedTile[] {
  return edgeTiles(edge.size).map(({ level, index }) => ({ level, index, tile: edge.tiles[level] as Tile }))
}
