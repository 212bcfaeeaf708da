/** What a batch changes: pure, so that a sequencer that lost its lease can only write what its successor writes too. */
import { concatBytes, joinBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { treeHashBytes } from '@countersign/core/merkle/proof'
import { hashLeaf, type SyncHash } from '@countersign/core/merkle/tree'
import { appendLeaves, edgeRoot, type PlacedTile, type TreeEdge } from '@countersign/core/tiles/append'
import { joinEntries, splitEntries, type EntryFormat } from '@countersign/core/tiles/entry-bundle'
import { tilePath, tileWidth } from '@countersign/core/tiles/path'
import { tileBytes } from '@countersign/core/tiles/tile'
import type { NewEntry } from '../tree-log.ts'

/** A tree as far as its sequencer needs it to go on. */
export type TreeState = {
  readonly edge: TreeEdge
  readonly rootHash: Uint8Array
  /** The entries of the bundle that is not full. */
  readonly bundle: readonly Uint8Array[]
}

/** Entries in the form in which they are staged: their data as kept, their leaf hashes. */
export type Leaves = { readonly data: readonly Uint8Array[]; readonly hashes: readonly Uint8Array[] }

/** A batch on top of a tree. */
export type Plan = {
  readonly leaves: Leaves
  readonly next: TreeState
  readonly tiles: readonly PlacedTile[]
  /** What is to be written, by path below the log's own. */
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[]
}

/** Data and hashes of new entries; those that name their own index get it here. `first` is the index of the first. */
export function leavesOf(primitives: SyncHash, first: number, entries: readonly NewEntry[]): Leaves {
  const data: Uint8Array[] = []
  const hashes: Uint8Array[] = []
  for (const entry of entries) {
    const { numbered } = entry
    if (numbered === undefined) {
      data.push(entry.data)
      hashes.push(entry.leafHash)
      continue
    }
    const written = writeIndex(entry.data, numbered.offset, first + data.length)
    data.push(written)
    hashes.push(hashLeaf(primitives, concatBytes(numbered.leafPrefix, written.subarray(0, numbered.leafBytes))))
  }
  return { data, hashes }
}

/** Plans leaves on top of a tree: every tile and bundle that the new tree has and the old one had not. */
export function planBatch(primitives: SyncHash, format: EntryFormat, state: TreeState, leaves: Leaves): Plan {
  const { edge, tiles } = appendLeaves(primitives, state.edge, leaves.hashes)
  const bundles = growBundles(format, state, leaves.data)
  const files = tiles.map(({ level, index, tile }) => ({
    path: tilePath({ kind: 'hashes', level, index, width: tile.width }),
    bytes: tileBytes(tile),
  }))
  return {
    leaves,
    next: { edge, rootHash: edgeRoot(primitives, edge), bundle: bundles.rest },
    tiles,
    files: [...files, ...bundles.files],
  }
}

function growBundles(
  format: EntryFormat,
  state: TreeState,
  added: readonly Uint8Array[],
): { files: Plan['files']; rest: readonly Uint8Array[] } {
  const files: { path: string; bytes: Uint8Array }[] = []
  let index = Math.floor(state.edge.size / tileWidth)
  let bundle = state.bundle
  for (let at = 0; at < added.length;) {
    const part = added.slice(at, at + tileWidth - bundle.length)
    at += part.length
    bundle = [...bundle, ...part]
    files.push({ path: tilePath({ kind: 'entries', folder: format.folder, index, width: bundle.length }), bytes: format.join(bundle) })
    if (bundle.length < tileWidth) break
    bundle = []
    index++
  }
  return { files, rest: bundle }
}

/** Leaves as two columns of a staged row. */
export function encodeLeaves(leaves: Leaves): { readonly leaves: Uint8Array; readonly entries: Uint8Array } {
  return { leaves: joinBytes(leaves.hashes), entries: joinEntries(leaves.data) }
}

/** Reads a staged row of `count` entries. Throws `log_damaged` when it does not hold as many. */
export function decodeLeaves(count: number, row: { readonly leaves: Uint8Array; readonly entries: Uint8Array }): Leaves {
  const data = splitEntries(row.entries, count)
  if (data.length !== count || row.leaves.length !== count * treeHashBytes) {
    throw new CountersignError('log_damaged', 'a staged batch is not what was written', {
      expected: `${count} entries`,
      found: `${data.length}`,
    })
  }
  return { data, hashes: data.map((_, i) => row.leaves.subarray(i * treeHashBytes, (i + 1) * treeHashBytes)) }
}

/** A 40-bit big-endian number into a copy of the entry. */
function writeIndex(data: Uint8Array, offset: number, index: number): Uint8Array {
  const written = data.slice()
  const view = new DataView(written.buffer)
  view.setUint8(offset, Math.floor(index / 2 ** 32))
  view.setUint32(offset + 1, index % 2 ** 32)
  return written
}
