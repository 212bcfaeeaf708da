import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CountersignError } from '@countersign/core/failure'
import { leafHash, rootFromInclusionProof, verifyConsistency, verifyInclusion } from '@countersign/core/merkle/proof'

/** The definitions of RFC 9162 §2.1, word for word and slow. */
const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}
const split = (n: number): number => 2 ** Math.ceil(Math.log2(n) - 1)
const mth = (leaves: readonly Uint8Array[]): Uint8Array => {
  const [only] = leaves
  if (only === undefined) return sha256()
  if (leaves.length === 1) return sha256(Uint8Array.of(0), only)
  const k = split(leaves.length)
  return sha256(Uint8Array.of(1), mth(leaves.slice(0, k)), mth(leaves.slice(k)))
}
const path = (m: number, leaves: readonly Uint8Array[]): Uint8Array[] => {
  if (leaves.length === 1) return []
  const k = split(leaves.length)
  return m < k ? [...path(m, leaves.slice(0, k)), mth(leaves.slice(k))] : [...path(m - k, leaves.slice(k)), mth(leaves.slice(0, k))]
}
const subproof = (m: number, leaves: readonly Uint8Array[], whole: boolean): Uint8Array[] => {
  if (m === leaves.length) return whole ? [] : [mth(leaves)]
  const k = split(leaves.length)
  return m <= k
    ? [...subproof(m, leaves.slice(0, k), whole), mth(leaves.slice(k))]
    : [...subproof(m - k, leaves.slice(k), false), mth(leaves.slice(0, k))]
}

const primitives = { hash: (_: string, data: Uint8Array): Uint8Array => sha256(data) }
const tree = (size: number): Uint8Array[] => Array.from({ length: size }, (_, i) => Uint8Array.of(i >> 8, i & 255))
const code = async (work: Promise<unknown>): Promise<string | undefined> => {
  try {
    await work
    return undefined
  } catch (cause) {
    if (cause instanceof CountersignError) return cause.code
    throw cause
  }
}

describe('inclusion proofs', () => {
  it('lead to the root from every leaf of every tree of up to 24 leaves', async () => {
    for (let size = 1; size <= 24; size++) {
      const leaves = tree(size)
      for (let index = 0; index < size; index++) {
        const leaf = await leafHash(primitives, leaves[index] as Uint8Array)
        expect(await verifyInclusion(primitives, { leaf, index, treeSize: size, hashes: path(index, leaves) }, mth(leaves))).toBe(true)
      }
    }
  })

  it('attack: an index, size, hash or leaf other than the proven one never leads to the root', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 40 }), fc.nat(), fc.nat(), fc.nat(255), async (size, at, where, bit) => {
        const leaves = tree(size)
        const index = at % size
        const leaf = await leafHash(primitives, leaves[index] as Uint8Array)
        const claim = { leaf, index, treeSize: size, hashes: path(index, leaves) }
        const root = mth(leaves)
        const flipped = claim.hashes.map((hash, i) =>
          i === where % claim.hashes.length ? hash.map((b, j) => (j === bit % 32 ? b ^ 1 : b)) : hash,
        )
        expect(await verifyInclusion(primitives, { ...claim, hashes: flipped }, root)).toBe(false)
        const other = (index + 1) % size
        expect(await verifyInclusion(primitives, { ...claim, index: other }, root).catch(() => false)).toBe(false)
        expect(await code(rootFromInclusionProof(primitives, { ...claim, hashes: claim.hashes.slice(1) }))).toBe('proof_malformed')
        expect(await code(rootFromInclusionProof(primitives, { ...claim, hashes: [...claim.hashes, leaf] }))).toBe('proof_malformed')
      }),
      { numRuns: 40 },
    )
  })

  it('take indices beyond 32 bits', async () => {
    const treeSize = 2 ** 40
    const hashes = Array.from({ length: 40 }, (_, i) => sha256(Uint8Array.of(i)))
    const low = await rootFromInclusionProof(primitives, { leaf: sha256(), index: 5, treeSize, hashes })
    const high = await rootFromInclusionProof(primitives, { leaf: sha256(), index: 5 + 2 ** 32, treeSize, hashes })
    expect(low).not.toEqual(high)
  })

  it.each([
    ['an index at the size', { index: 3 }],
    ['a negative index', { index: -1 }],
    ['a fraction', { index: 0.5 }],
    ['a size of zero', { treeSize: 0 }],
    ['a size beyond 2^53', { treeSize: 2 ** 53 }],
    ['a hash of 31 bytes', { hashes: [new Uint8Array(31), new Uint8Array(32)] }],
    ['a leaf of 20 bytes', { leaf: new Uint8Array(20) }],
    ['65 hashes', { hashes: Array.from({ length: 65 }, () => new Uint8Array(32)) }],
  ])('refuses %s', async (_, change) => {
    const claim = { leaf: new Uint8Array(32), index: 0, treeSize: 3, hashes: [new Uint8Array(32), new Uint8Array(32)], ...change }
    expect(await code(rootFromInclusionProof(primitives, claim))).toBe('proof_malformed')
  })
})

describe('consistency proofs', () => {
  it('hold between every two trees of up to 20 leaves', async () => {
    for (let newSize = 1; newSize <= 20; newSize++) {
      const leaves = tree(newSize)
      for (let oldSize = 1; oldSize <= newSize; oldSize++) {
        const claim = {
          oldSize,
          newSize,
          oldRoot: mth(leaves.slice(0, oldSize)),
          newRoot: mth(leaves),
          hashes: subproof(oldSize, leaves, true),
        }
        expect(await verifyConsistency(primitives, claim)).toBe(true)
      }
    }
  })

  it('attack: a log that rewrote history has no proof', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 40 }), fc.nat(), fc.nat(), async (newSize, a, b) => {
        const leaves = tree(newSize)
        const oldSize = 1 + (a % (newSize - 1))
        const rewritten = leaves.map((leaf, i) => (i === b % oldSize ? Uint8Array.of(9, 9, 9) : leaf))
        const claim = {
          oldSize,
          newSize,
          oldRoot: mth(leaves.slice(0, oldSize)),
          newRoot: mth(rewritten),
          hashes: subproof(oldSize, rewritten, true),
        }
        expect(await verifyConsistency(primitives, claim)).toBe(false)
        const longer = { ...claim, newRoot: mth(leaves), hashes: [...subproof(oldSize, leaves, true), mth([])] }
        expect(await code(verifyConsistency(primitives, longer))).toBe('proof_malformed')
      }),
      { numRuns: 40 },
    )
  })

  it('refuses trees that shrink, hashes between equal trees, and none between different ones', async () => {
    const [root, other] = [mth(tree(3)), mth(tree(4))]
    const claim = { oldSize: 3, newSize: 3, oldRoot: root, newRoot: root, hashes: [] }
    expect(await verifyConsistency(primitives, claim)).toBe(true)
    expect(await verifyConsistency(primitives, { ...claim, newRoot: other })).toBe(false)
    expect(await code(verifyConsistency(primitives, { ...claim, hashes: [root] }))).toBe('proof_malformed')
    expect(await code(verifyConsistency(primitives, { ...claim, newSize: 4, newRoot: other }))).toBe('proof_malformed')
    expect(await code(verifyConsistency(primitives, { ...claim, newSize: 2 }))).toBe('proof_malformed')
    expect(await code(verifyConsistency(primitives, { ...claim, oldSize: 0 }))).toBe('proof_malformed')
  })
})
