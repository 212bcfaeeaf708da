/** What was signed or kept of a log's trees: at each of these sizes the entries must give the root. */
import { bytesToHex, equalBytes, fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { Checkpoint } from '@countersign/core/note/checkpoint'
import { emptyRoot } from '@countersign/core/merkle/tree'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { TreeRow } from '../engine/tree-store.ts'
import { damaged } from './damage.ts'
import type { FsckOptions, SeenTree } from './model.ts'
import { openCheckpoint } from './place.ts'

/** Trees by their size, and where each is spoken of. */
export type DueRoots = {
  /** The next size at which a root must be compared; infinite when none is left. */
  readonly next: () => number
  /** Compares the root of that size. Throws `log_altered`. */
  readonly compare: (root: Uint8Array) => void
}

/** What is claimed of trees, and how many checkpoints their signatures were proven of. */
export type Claims = { readonly roots: DueRoots; readonly checkpoints: number }

type Claim = SeenTree & { readonly where: string; readonly detail: string }

/** Verifies the signatures of what is published and lists every claim. Throws `log_altered`. */
export async function readClaims(options: FsckOptions, row: TreeRow): Promise<Claims> {
  const { place, blobs, seen = [] } = options
  const table = `log_trees, ${place.name}`
  const { published, head } = row
  const claims: Claim[] = []
  const inRow = await verified(options, row, `${table}, published_note`, published.note)
  if (inRow.size !== published.size || !equalBytes(inRow.rootHash, published.rootHash)) {
    throw damaged(table, 'the published checkpoint is not the one of its columns', {
      expected: treeText(published),
      found: treeText(inRow),
    })
  }
  claims.push({ ...published, where: table, detail: 'the entries do not give the published root' })
  if (head.size < published.size) {
    throw damaged(table, 'the head is behind what was published', { expected: `at least ${published.size}`, found: `${head.size}` })
  }
  claims.push({ ...head, where: table, detail: 'the entries do not give the root of the head' })
  const file = `log/${place.name}/checkpoint`
  const bytes = await blobs.get(file)
  if (bytes !== undefined) {
    const inFile = await verified(options, row, file, fromUtf8(bytes))
    if (inFile.size > published.size) throw ahead(file, published.size, inFile.size)
    claims.push({ ...inFile, where: file, detail: 'the entries do not give the root of the checkpoint' })
  }
  for (const tree of seen) {
    const where = `a checkpoint of ${tree.size} entries that was seen`
    if (tree.size > published.size) throw ahead(where, published.size, tree.size)
    claims.push({ ...tree, where, detail: 'the log contains another tree' })
  }
  return { roots: dueRoots(claims), checkpoints: bytes === undefined ? 1 : 2 }
}

async function verified({ place }: FsckOptions, row: TreeRow, where: string, note: string): Promise<Checkpoint> {
  let checkpoint: Checkpoint
  try {
    checkpoint = await openCheckpoint(place, row.origin, note)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw damaged(where, cause.message, {
      ...(cause.expected === undefined ? {} : { expected: cause.expected }),
      ...(cause.found === undefined ? {} : { found: cause.found }),
    })
  }
  if (checkpoint.origin === row.origin) return checkpoint
  throw damaged(where, 'the checkpoint is of another log', { expected: row.origin, found: checkpoint.origin })
}

/** Somebody was told of more than the database knows: it was set back, and would sign a fork when it went on. */
function ahead(where: string, expected: number, found: number): CountersignError {
  return damaged(where, 'it speaks of a larger tree than the database: the database is older', {
    expected: `at most ${expected} entries`,
    found: `${found}`,
  })
}

function dueRoots(claims: readonly Claim[]): DueRoots {
  const left = claims.toSorted((a, b) => a.size - b.size)
  const compare = (root: Uint8Array): void => {
    const size = left[0]?.size
    while (left[0] !== undefined && left[0].size === size) {
      const { where, detail, rootHash } = left.shift() as Claim
      if (!equalBytes(root, rootHash)) throw damaged(where, detail, { expected: bytesToHex(rootHash), found: bytesToHex(root) })
    }
  }
  while (left[0]?.size === 0) compare(emptyRoot(serverPrimitives))
  return { next: () => left[0]?.size ?? Infinity, compare }
}

function treeText({ size, rootHash }: SeenTree): string {
  return `${size} entries, ${bytesToHex(rootHash)}`
}
