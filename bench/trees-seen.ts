/** What a client knows of a log: every tree that it was told of, every entry that was acknowledged; and the proof that all of it is one history. */
import { bytesToHex } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { hashLeaf } from '@countersign/core/merkle/tree'
import { appendLeaves, edgeRoot, emptyEdge, type TreeEdge } from '@countersign/core/tiles/append'
import { splitEntries } from '@countersign/core/tiles/entry-bundle'
import { tilePath, tileWidth, widthInTree, type EntryFolder } from '@countersign/core/tiles/path'
import { encodeMerkleTreeLeaf, parseDataTile } from '@countersign/core/x509/ct-leaf'
import { hashBytes } from '@countersign/server/base/crypto/primitives'

const primitives = { hash: hashBytes }

/** A tree that was told of. */
export type SeenTree = { readonly size: number; readonly rootHash: Uint8Array }

/** The memory of one log. */
export type TreesSeen = {
  /** Throws when another tree of the same size was told of: a fork. */
  readonly tree: (tree: SeenTree) => void
  /** An entry that was acknowledged. Throws when another one was acknowledged with this index. */
  readonly entry: (index: number, leafHash: Uint8Array) => void
  readonly trees: () => readonly SeenTree[]
  readonly entries: () => ReadonlyMap<number, string>
}

/** An empty memory of a log. */
export function treesSeen(log: string): TreesSeen {
  const roots = new Map<number, Uint8Array>()
  const leaves = new Map<number, string>()
  return {
    tree: ({ size, rootHash }) => {
      const known = roots.get(size)
      if (known !== undefined && bytesToHex(known) !== bytesToHex(rootHash))
        throw broken(`${log}: two trees of ${size} entries were signed`)
      roots.set(size, rootHash)
    },
    entry: (index, leafHash) => {
      const hex = bytesToHex(leafHash)
      if ((leaves.get(index) ?? hex) !== hex) throw broken(`${log}: two entries were acknowledged with index ${index}`)
      leaves.set(index, hex)
    },
    trees: () => [...roots].map(([size, rootHash]) => ({ size, rootHash })).toSorted((a, b) => a.size - b.size),
    entries: () => leaves,
  }
}

/** A copy of a log, made from the entries that it serves. */
export type LogCopy = {
  /** Reads what is new up to this tree and demands that it is the tree; every tree seen before must be a beginning of it, every entry in it. */
  readonly follow: (tree: SeenTree, seen: TreesSeen) => Promise<void>
  readonly size: () => number
}

/** Makes an empty copy. `read` gets a file of the log by its path, as `tile/entries/000`. */
export function logCopy(log: string, folder: EntryFolder, read: (path: string) => Promise<Uint8Array>): LogCopy {
  const leaves: Uint8Array[] = []
  const split = (bytes: Uint8Array): readonly Uint8Array[] =>
    folder === 'entries'
      ? splitEntries(bytes).map((entry) => hashLeaf(primitives, entry))
      : parseDataTile(bytes).map(({ entry }) => hashLeaf(primitives, encodeMerkleTreeLeaf(entry)))
  return {
    size: () => leaves.length,
    follow: async (tree, seen) => {
      if (tree.size < leaves.length) throw broken(`${log}: the tree shrank from ${leaves.length} to ${tree.size} entries`)
      for (let index = Math.floor(leaves.length / tileWidth); index * tileWidth < tree.size; index++) {
        const width = widthInTree(tree.size, 0, index)
        const hashes = split(await read(tilePath({ kind: 'entries', folder, index, width })))
        if (hashes.length !== width) throw broken(`${log}: bundle ${index} has ${hashes.length} entries, not ${width}`)
        leaves.splice(index * tileWidth, tileWidth, ...hashes)
      }
      seen.tree(tree)
      demandBeginnings(log, leaves, seen.trees())
      for (const [index, hex] of seen.entries()) {
        const found = leaves[index]
        if (found === undefined || bytesToHex(found) !== hex) throw broken(`${log}: the acknowledged entry ${index} is not there`)
      }
    },
  }
}

/** Every tree must be the first entries of the same list. */
function demandBeginnings(log: string, leaves: readonly Uint8Array[], trees: readonly SeenTree[]): void {
  let edge: TreeEdge = emptyEdge
  for (const { size, rootHash } of trees) {
    if (size > leaves.length) throw broken(`${log}: a tree of ${size} entries was signed, there are ${leaves.length}`)
    edge = appendLeaves(primitives, edge, leaves.slice(edge.size, size)).edge
    if (bytesToHex(edgeRoot(primitives, edge)) !== bytesToHex(rootHash))
      throw broken(`${log}: the tree of ${size} entries that was signed is no beginning of this one`)
  }
}

/** A promise that was not kept. */
export function broken(detail: string): CountersignError {
  return new CountersignError('log_inconsistent', detail)
}
