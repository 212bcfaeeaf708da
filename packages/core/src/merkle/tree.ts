/**
 * Hashes of a growing Merkle tree (RFC 6962 §2.1, RFC 9162 §2.1), computed by who keeps the tree.
 *
 * Synchronous, unlike the proofs in `proof.ts`: a log computes two hashes for every entry, and a promise would cost more than a hash.
 */
import type { HashAlgorithm } from '../digest.ts'
import { treeHashBytes } from './proof.ts'

/** A hash that answers at once, as OpenSSL does. */
export type SyncHash = { readonly hash: (algorithm: HashAlgorithm, data: Uint8Array) => Uint8Array }

const nodePrefix = 1

/** The hash of a leaf: SHA-256 of a zero byte and the entry; 32 bytes. */
export function hashLeaf(primitives: SyncHash, entry: Uint8Array): Uint8Array {
  const prefixed = new Uint8Array(1 + entry.length)
  prefixed.set(entry, 1)
  return primitives.hash('sha256', prefixed)
}

/** The hash of a node: SHA-256 of a one byte and both children, 32 bytes each; 32 bytes. */
export function hashNode(primitives: SyncHash, left: Uint8Array, right: Uint8Array): Uint8Array {
  const node = new Uint8Array(1 + 2 * treeHashBytes)
  node[0] = nodePrefix
  node.set(left, 1)
  node.set(right, 1 + treeHashBytes)
  return primitives.hash('sha256', node)
}

/** Root of the tree without leaves: SHA-256 of nothing (RFC 9162 §2.1.1). */
export function emptyRoot(primitives: SyncHash): Uint8Array {
  return primitives.hash('sha256', new Uint8Array(0))
}

/** A complete subtree: the `index`-th of those that have 2^`level` leaves. */
export type TreeNode = { readonly level: number; readonly index: number }

/** Where hashes of complete subtrees come from. */
export type NodeSource = (node: TreeNode) => Uint8Array

/** Leaves `start` to `end`, without the latter; `start` is a multiple of the greatest power of two below their number. */
type Range = readonly [start: number, end: number]

/** Complete subtrees whose hashes, combined from right to left, give the root of the first `size` leaves: none for the empty tree. */
export function rootNodes(size: number): readonly TreeNode[] {
  return size === 0 ? [] : rangeNodes([0, size])
}

/** The root of the first `size` leaves. */
export function treeRoot(primitives: SyncHash, size: number, source: NodeSource): Uint8Array {
  return size === 0 ? emptyRoot(primitives) : rangeHash(primitives, [0, size], source)
}

/**
 * What an inclusion proof (RFC 6962 §2.1.1) is computed from: for each of its hashes, from the leaf's sibling upwards, the complete
 * subtrees that combine to it. `index` is below `size`.
 */
export function inclusionNodes(index: number, size: number): readonly (readonly TreeNode[])[] {
  return inclusionRanges(index, [0, size]).map(rangeNodes)
}

/** The same for a consistency proof (RFC 6962 §2.1.2) from the tree of size `first`, at least 1, to that of size `second`, not smaller. */
export function consistencyNodes(first: number, second: number): readonly (readonly TreeNode[])[] {
  return first === second ? [] : consistencyRanges(first, [0, second], true).map(rangeNodes)
}

/** The hashes of a proof, from what {@link inclusionNodes} or {@link consistencyNodes} gave. */
export function proofHashes(primitives: SyncHash, proof: readonly (readonly TreeNode[])[], source: NodeSource): Uint8Array[] {
  return proof.map((nodes) => combine(primitives, nodes, source))
}

function inclusionRanges(index: number, range: Range): Range[] {
  const ranges: Range[] = []
  let [start, end] = range
  while (end - start > 1) {
    const middle = start + splitPoint(end - start)
    if (index < middle) {
      ranges.push([middle, end])
      end = middle
    } else {
      ranges.push([start, middle])
      start = middle
    }
  }
  return ranges.toReversed()
}

/** SUBPROOF of RFC 6962 §2.1.2; `whole` says that the old tree up to here is known to the verifier as its root. */
function consistencyRanges(first: number, range: Range, whole: boolean): Range[] {
  const [start, end] = range
  if (first === end) return whole ? [] : [range]
  const middle = start + splitPoint(end - start)
  return first <= middle
    ? [...consistencyRanges(first, [start, middle], whole), [middle, end]]
    : [...consistencyRanges(first, [middle, end], false), [start, middle]]
}

function rangeHash(primitives: SyncHash, range: Range, source: NodeSource): Uint8Array {
  return combine(primitives, rangeNodes(range), source)
}

/** A range without gaps is one complete subtree or several, each smaller than the one before: the tree's ragged right edge. */
function rangeNodes([start, end]: Range): TreeNode[] {
  const nodes: TreeNode[] = []
  for (let at = start; at < end;) {
    let level = 0
    let leaves = 1
    while (leaves * 2 <= end - at) {
      leaves *= 2
      level++
    }
    nodes.push({ level, index: at / leaves })
    at += leaves
  }
  return nodes
}

function combine(primitives: SyncHash, nodes: readonly TreeNode[], source: NodeSource): Uint8Array {
  let hash: Uint8Array | undefined
  for (let i = nodes.length - 1; i >= 0; i--) {
    const left = source(nodes[i] as TreeNode)
    hash = hash === undefined ? left : hashNode(primitives, left, hash)
  }
  return hash as Uint8Array
}

/** The greatest power of two below `count`, which is at least 2. */
function splitPoint(count: number): number {
  let power = 1
  while (power * 2 < count) power *= 2
  return power
}
