/**
 * Proves a whole log from what is stored of it: the entries give the leaf hashes, those every tile at every level, those the root that the log's
 * key signed; and every row says the same. Reads each file once, in the order of the entries, and keeps the right edge of the tree in memory.
 *
 * Nothing is repaired: what is wrong is named, for a person to judge.
 */
import { bytesToHex, equalBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { treeHashBytes } from '@countersign/core/merkle/proof'
import { edgeRoot, edgeTiles, type TreeEdge } from '@countersign/core/tiles/append'
import { tilePath, tileWidth, widthInTree, type TileName } from '@countersign/core/tiles/path'
import { hashInTile, readTile, tileBytes, tileHeight, type Tile } from '@countersign/core/tiles/tile'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import { treeFiles } from '../engine/files.ts'
import { planBatch, type TreeState } from '../engine/plan.ts'
import { readTree, type StagedBatch, type TreeRow } from '../engine/tree-store.ts'
import { readClaims, type DueRoots } from './checkpoints.ts'
import { damaged, damageIn } from './damage.ts'
import { ctEntries, parsed, rekorEntries, type EntryProof, type ProvenEntry } from './entries.ts'
import { proveOtherFiles } from './files.ts'
import type { FsckOptions, FsckResult, SoundLog } from './model.ts'
import { proveBatches, proveIdentities, proveNoMore, proveStaged } from './rows.ts'
import { treeLevels, type TreeLevels } from './tree-levels.ts'

const ahead = 4

/** Proves a log to which nobody writes. Storage that cannot be read is a failure and no damage: `blob_store_failed`, `database_failed`. */
export async function fsckLog(options: FsckOptions): Promise<FsckResult> {
  try {
    return { ok: true, log: await prove(options) }
  } catch (failure) {
    const damage = damageIn(failure)
    if (damage === undefined) throw failure
    return { ok: false, damage }
  }
}

async function prove(options: FsckOptions): Promise<SoundLog> {
  const { place, database } = options
  const row = await rowOf(options)
  const { roots, checkpoints } = await readClaims(options, row)
  const entries = place.kind === 'ct' ? ctEntries(options.blobs) : rekorEntries()
  const batches = await proveBatches(database, row)
  const walk = await proveTree(options, row, entries, roots)
  const staged = await proveStaged(database, row, entries)
  await proveDecided(row, walk, staged)
  const planned = planFiles(entries, walk.state, staged)
  const { published, head } = row
  const folder = { blobs: options.blobs, folder: folderOf(options), format: entries.format, size: published.size }
  const others = await proveOtherFiles(folder, planned)
  const identities = await proveNoMore(database, place, row)
  return {
    name: place.name,
    kind: place.kind,
    origin: row.origin,
    frozen: row.frozen,
    size: published.size,
    root: bytesToHex(published.rootHash),
    entries: head.size,
    tiles: walk.files + others,
    checkpoints,
    rows: 1 + batches + staged.length + identities,
    ...(place.kind === 'ct' ? { issuedCertificates: head.size } : {}),
  }
}

async function rowOf({ database, place }: FsckOptions): Promise<TreeRow> {
  try {
    return await readTree(database, place.name)
  } catch (cause) {
    if (cause instanceof CountersignError && cause.code === 'log_missing') throw damaged(`log_trees, ${place.name}`, 'the row is missing')
    throw cause
  }
}

function folderOf({ place }: Pick<FsckOptions, 'place'>): string {
  return `log/${place.name}/`
}

/** The published tree, as its entries give it. */
type Walk = { readonly levels: TreeLevels; readonly state: TreeState; readonly files: number; readonly roots: DueRoots }

async function proveTree(options: FsckOptions, row: TreeRow, proof: EntryProof, roots: DueRoots): Promise<Walk> {
  const { size } = row.published
  const files = tileProof(options, proof, size)
  const levels = treeLevels((level, index, bytes) =>
    // What is beyond the published tree may not be in tiles yet.
    (index + 1) * tileWidth ** (level + 1) <= size ? files.full(level, index, bytes) : Promise.resolve(),
  )
  let bundle: readonly Uint8Array[] = []
  let last: readonly ProvenEntry[] = []
  for await (const { name, bytes } of files.bundles()) {
    const where = `${folderOf(options)}${tilePath(name)}`
    bundle = parsed(where, () => proof.format.split(bytes))
    if (bundle.length !== name.width) {
      throw damaged(where, 'the bundle does not hold as many entries', { expected: `${name.width}`, found: `${bundle.length}` })
    }
    const proven = await proveBundle({ levels, proof, roots, size }, bundle, where)
    // The entries of the last bundle are looked up when its tile is proven: that tells best what is wrong with them.
    if (name.width === tileWidth) await proveIdentities(options.database, row.id, name.index * tileWidth, proven)
    else last = proven
    options.progress?.(bundle.length)
  }
  const edge = levels.edge()
  await files.edge(edge, row.published.rootHash)
  await proveIdentities(options.database, row.id, size - last.length, last)
  if (roots.next() === size) roots.compare(edgeRoot(serverPrimitives, edge))
  const rest = size % tileWidth === 0 ? [] : bundle
  return { levels, files: files.count(), roots, state: { edge, rootHash: edgeRoot(serverPrimitives, edge), bundle: rest } }
}

async function proveBundle(
  {
    levels,
    proof,
    roots,
    size,
  }: { readonly levels: TreeLevels; readonly proof: EntryProof; readonly roots: DueRoots; readonly size: number },
  bundle: readonly Uint8Array[],
  where: string,
): Promise<readonly ProvenEntry[]> {
  const proven: ProvenEntry[] = []
  for (const data of bundle) {
    const answer = proof.prove(data, levels.size(), where)
    const entry = answer instanceof Promise ? await answer : answer
    proven.push(entry)
    const filled = levels.add(entry.leafHash)
    if (filled !== undefined) await filled
    // The published root itself is compared after the files of the edge, of which one may be to blame.
    if (levels.size() === roots.next() && levels.size() < size) roots.compare(levels.root())
  }
  return proven
}

/** What is decided follows on what is published: the leaves of the staged batches give the root of the head. */
async function proveDecided({ head, published }: TreeRow, { levels, roots }: Walk, staged: readonly StagedBatch[]): Promise<void> {
  for (const { first, leaves } of staged) {
    for (const hash of leaves.hashes.slice(Math.max(0, published.size - first))) await levels.add(hash)
  }
  if (roots.next() === head.size) roots.compare(levels.root())
}

/** The files that the engine writes for what is decided: they may be there already. */
function planFiles(proof: EntryProof, published: TreeState, staged: readonly StagedBatch[]): ReadonlyMap<string, Uint8Array> {
  const planned = new Map<string, Uint8Array>()
  let state = published
  for (const { first, leaves } of staged) {
    const skipped = Math.max(0, published.edge.size - first)
    if (skipped >= leaves.data.length) continue
    const plan = planBatch(serverPrimitives, proof.format, state, {
      data: leaves.data.slice(skipped),
      hashes: leaves.hashes.slice(skipped),
    })
    for (const { path, bytes } of plan.files) planned.set(path, bytes)
    state = plan.next
  }
  return planned
}

/** Files of the published tree against what the entries demand. */
type TileProof = {
  readonly bundles: () => AsyncGenerator<{ readonly name: TileName; readonly bytes: Uint8Array }>
  readonly full: (level: number, index: number, bytes: Uint8Array) => Promise<void>
  /** The tiles that are not full. */
  readonly edge: (edge: TreeEdge, root: Uint8Array) => Promise<void>
  readonly count: () => number
}

function tileProof(options: FsckOptions, proof: EntryProof, size: number): TileProof {
  const folder = folderOf(options)
  const files = treeFiles(serverPrimitives, options.blobs, folder, proof.format)
  let count = 0
  const read = async (name: TileName): Promise<Uint8Array> => {
    const where = `${folder}${tilePath(name)}`
    const bytes = await files.read(name).catch((cause: unknown) =>
      parsed(where, () => {
        throw cause
      }),
    )
    if (bytes === undefined) throw damaged(where, 'it is missing')
    count++
    return bytes
  }
  const compare = async (
    name: TileName & { kind: 'hashes' },
    demanded: Uint8Array,
    blame: (found: Uint8Array) => Promise<'tile' | 'bundle'>,
  ) => {
    const found = await read(name)
    if (equalBytes(found, demanded)) return
    const where = `${folder}${tilePath(name)}`
    if (found.length !== demanded.length) {
      throw damaged(where, 'the tile has another length', { expected: `${demanded.length} bytes`, found: `${found.length}` })
    }
    const at = firstDifference(found, demanded)
    const [inTile, computed] = [found, demanded].map((bytes) => bytesToHex(bytes.subarray(at * treeHashBytes, (at + 1) * treeHashBytes)))
    const entry = name.index * tileWidth + at
    if (name.level === 0 && (await blame(found)) === 'bundle') {
      const bundle = tilePath({ kind: 'entries', folder: proof.format.folder, index: name.index, width: name.width })
      throw damaged(`${folder}${bundle}, entry ${entry}`, 'the entry is not the one that was logged', {
        expected: `leaf hash ${inTile}`,
        found: `${computed}`,
      })
    }
    const what = name.level === 0 ? `entry ${entry}` : tilePath({ kind: 'hashes', level: name.level - 1, index: entry, width: tileWidth })
    throw damaged(`${where}, hash ${at}`, `the hash is not that of ${what}`, { expected: `${computed}`, found: `${inTile}` })
  }
  return {
    count: () => count,
    bundles: async function* () {
      const total = Math.ceil(size / tileWidth)
      const nameOf = (index: number): TileName => ({
        kind: 'entries',
        folder: proof.format.folder,
        index,
        width: widthInTree(size, 0, index),
      })
      const waiting: Promise<Uint8Array>[] = []
      for (let index = 0; index < total; index++) {
        while (waiting.length < ahead && index + waiting.length < total) waiting.push(quiet(read(nameOf(index + waiting.length))))
        yield { name: nameOf(index), bytes: await (waiting.shift() as Promise<Uint8Array>) }
      }
    },
    full: async (level, index, bytes) =>
      compare({ kind: 'hashes', level, index, width: tileWidth }, bytes, async (found) => blameByParent(files.read, size, index, found)),
    edge: async (edge, root) => {
      for (const { level, index, width } of edgeTiles(size)) {
        await compare({ kind: 'hashes', level, index, width }, tileBytes(edge.tiles[level] as Tile), async (found) => {
          const tiles = edge.tiles.map((tile, at) => (at === level ? readTile(serverPrimitives, found, width) : tile))
          return equalBytes(edgeRoot(serverPrimitives, { size, tiles }), root) ? 'bundle' : 'tile'
        })
      }
    },
  }
}

/** Tile and bundle disagree: the tile above tells which of them was changed. */
async function blameByParent(
  read: (name: TileName) => Promise<Uint8Array | undefined>,
  size: number,
  index: number,
  found: Uint8Array,
): Promise<'tile' | 'bundle'> {
  const above = Math.floor(index / tileWidth)
  const parents = await read({ kind: 'hashes', level: 1, index: above, width: widthInTree(size, 1, above) })
  const at = (index % tileWidth) * treeHashBytes
  const own = hashInTile(readTile(serverPrimitives, found, tileWidth), tileHeight, 0)
  return parents !== undefined && equalBytes(parents.subarray(at, at + treeHashBytes), own) ? 'bundle' : 'tile'
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  return Math.floor(a.findIndex((byte, i) => byte !== b[i]) / treeHashBytes)
}

/** A read ahead that fails is told when its turn comes. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}
