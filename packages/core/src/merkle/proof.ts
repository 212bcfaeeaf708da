/**
 * Merkle tree proofs of RFC 6962 and RFC 9162 §2.1, over SHA-256.
 *
 * Everything here comes from the thing verified; only the root that a verified checkpoint signs makes a proof mean something.
 */
import { concatBytes, equalBytes } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import type { Awaitable, Primitives } from '../primitives.ts'

/** Bytes of a hash in the tree. */
export const treeHashBytes = 32

const maxHashes = 64
const leafPrefix = Uint8Array.of(0)
const nodePrefix = 1

type Hashing = Pick<Primitives, 'hash'>

/** The hash of a leaf (RFC 9162 §2.1.1): SHA-256 of a zero byte and the entry. */
export async function leafHash(primitives: Hashing, entry: Uint8Array): Promise<Uint8Array> {
  return primitives.hash('sha256', concatBytes(leafPrefix, entry))
}

/** The hash of a node (RFC 9162 §2.1.1): SHA-256 of a one byte and both children, 32 bytes each. */
type NodeHash = (left: Uint8Array, right: Uint8Array) => Awaitable<Uint8Array>

/** Hashes nodes one after another, each written over the one before: to make an array of a node costs as much as to hash it. */
function hashNodes(primitives: Hashing): NodeHash {
  const node = new Uint8Array(1 + 2 * treeHashBytes)
  node[0] = nodePrefix
  return (left, right) => {
    node.set(left, 1)
    node.set(right, 1 + treeHashBytes)
    return primitives.hash('sha256', node)
  }
}

/** A claim that a leaf is in a tree. */
export type InclusionClaim = {
  readonly leaf: Uint8Array
  /** Index of the leaf; below `treeSize`. */
  readonly index: number
  readonly treeSize: number
  /** From the leaf's sibling upwards. */
  readonly hashes: readonly Uint8Array[]
}

/**
 * The root to which an inclusion proof leads (RFC 9162 §2.1.3.2). The caller compares it with the root that a checkpoint signs.
 * Throws `proof_malformed` when indices, lengths or the number of hashes cannot belong to any tree.
 */
export async function rootFromInclusionProof(primitives: Hashing, claim: InclusionClaim): Promise<Uint8Array> {
  demandSize(claim.treeSize, 1)
  demandHashes([claim.leaf, ...claim.hashes], maxHashes + 1)
  if (!Number.isSafeInteger(claim.index) || claim.index < 0 || claim.index >= claim.treeSize) {
    throw malformed('the index lies outside the tree', `0 to ${claim.treeSize - 1}`, String(claim.index))
  }
  let position = claim.index
  let last = claim.treeSize - 1
  let hash = claim.leaf
  const nodeHash = hashNodes(primitives)
  for (const sibling of claim.hashes) {
    if (last === 0) throw malformed('more hashes than the tree is high')
    const isRight = position % 2 === 1 || position === last
    const node = isRight ? nodeHash(sibling, hash) : nodeHash(hash, sibling)
    // Each `await` would cost as much as the hash itself.
    hash = node instanceof Promise ? await node : node
    if (isRight) while (position % 2 === 0 && position !== 0) [position, last] = [half(position), half(last)]
    ;[position, last] = [half(position), half(last)]
  }
  if (last !== 0) throw malformed('fewer hashes than the tree is high')
  return hash
}

/** Whether a leaf is in the tree of this root. Throws as {@link rootFromInclusionProof}. */
export async function verifyInclusion(primitives: Hashing, claim: InclusionClaim, root: Uint8Array): Promise<boolean> {
  return equalBytes(await rootFromInclusionProof(primitives, claim), root)
}

/** A claim that a tree only grew. */
export type ConsistencyClaim = {
  readonly oldSize: number
  readonly oldRoot: Uint8Array
  readonly newSize: number
  readonly newRoot: Uint8Array
  readonly hashes: readonly Uint8Array[]
}

/**
 * Whether the newer tree begins with the older one (RFC 9162 §2.1.4.2). Sizes from 1, the newer not smaller; equal sizes need equal roots
 * and no hashes. Throws `proof_malformed` when sizes or the number of hashes cannot belong to any two trees.
 */
export async function verifyConsistency(primitives: Hashing, claim: ConsistencyClaim): Promise<boolean> {
  const { oldSize, newSize, oldRoot, newRoot } = claim
  demandSize(oldSize, 1)
  demandSize(newSize, oldSize)
  demandHashes([oldRoot, newRoot, ...claim.hashes], 2 * maxHashes)
  if (oldSize === newSize) {
    if (claim.hashes.length > 0) throw malformed('hashes between trees of one size', '0')
    return equalBytes(oldRoot, newRoot)
  }
  if (claim.hashes.length === 0) throw malformed('no hash between trees of different sizes')
  return walkConsistency(primitives, claim)
}

async function walkConsistency(primitives: Hashing, claim: ConsistencyClaim): Promise<boolean> {
  // An old tree that is complete is itself the first node of the path (step 2).
  const [first, ...rest] = isPowerOfTwo(claim.oldSize) ? [claim.oldRoot, ...claim.hashes] : claim.hashes
  let [position, last] = [claim.oldSize - 1, claim.newSize - 1]
  while (position % 2 === 1) [position, last] = [half(position), half(last)]
  let oldHash = first as Uint8Array
  let newHash = oldHash
  const nodeHash = hashNodes(primitives)
  for (const sibling of rest) {
    if (last === 0) throw malformed('more hashes than the tree is high')
    if (position % 2 === 1 || position === last) {
      oldHash = await nodeHash(sibling, oldHash)
      newHash = await nodeHash(sibling, newHash)
      while (position % 2 === 0 && position !== 0) [position, last] = [half(position), half(last)]
    } else {
      newHash = await nodeHash(newHash, sibling)
    }
    ;[position, last] = [half(position), half(last)]
  }
  if (last !== 0) throw malformed('fewer hashes than the tree is high')
  return equalBytes(oldHash, claim.oldRoot) && equalBytes(newHash, claim.newRoot)
}

/** Bit operators would cut indices to 32 bits. */
function half(value: number): number {
  return Math.floor(value / 2)
}

function isPowerOfTwo(value: number): boolean {
  let rest = value
  while (rest % 2 === 0) rest = half(rest)
  return rest === 1
}

function demandSize(size: number, least: number): void {
  if (!Number.isSafeInteger(size) || size < least) throw malformed('not the size of a tree', `${least} to 2^53-1`, String(size))
}

function demandHashes(hashes: readonly Uint8Array[], most: number): void {
  if (hashes.length > most) throw malformed(`${hashes.length} hashes`, `at most ${most}`)
  if (hashes.some((hash) => hash.length !== treeHashBytes)) throw malformed(`a hash that is not ${treeHashBytes} bytes long`)
}

function malformed(detail: string, expected?: string, found?: string): CountersignError {
  return new CountersignError('proof_malformed', `not a Merkle proof: ${detail}`, {
    ...(expected === undefined ? {} : { expected }),
    ...(found === undefined ? {} : { found }),
  })
}
