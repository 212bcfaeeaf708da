/** The rows of one tree: reads, and the two compare-and-swaps on which everything rests. */
import { CountersignError } from '@countersign/core/failure'
import type { Database, SqlValue } from '../../base/database/database.ts'
import type { PublishedCheckpoint } from '../tree-log.ts'
import { decodeLeaves, encodeLeaves, type Leaves } from './plan.ts'

/** A batch is at most so large that it can be staged in one row and held in memory. */
export const maxBatchEntries = 1024

/** Head and published checkpoint. The head is the tree that is decided, the published one the tree that the world was told of. */
export type TreeRow = {
  readonly id: number
  readonly origin: string
  readonly frozen: boolean
  readonly head: { readonly size: number; readonly rootHash: Uint8Array }
  readonly published: PublishedCheckpoint
}

/** A batch that is decided, and may not be in the tiles yet. */
export type StagedBatch = { readonly first: number; readonly leaves: Leaves }

/** What one transaction commits. */
export type Commit = {
  /** The head that it is on top of: its size is the index of the first entry, and staged batches before it are in durable tiles. */
  readonly from: TreeRow['head']
  readonly to: TreeRow['head']
  readonly leaves: Leaves
  readonly integratedAt: number
  readonly identities: readonly Uint8Array[]
  /** Rows of the shared queue that are answered by this. */
  readonly answered: readonly { readonly id: string; readonly index: number; readonly duplicate: boolean }[]
}

/** Makes the row of a new tree. Throws `log_exists`. */
export async function createTree(database: Database, name: string, origin: string, empty: PublishedCheckpoint): Promise<void> {
  await database.transaction(async (_, raw) => {
    const [taken] = await raw.query('select id from log_trees where name = ?', [name])
    if (taken !== undefined) throw new CountersignError('log_exists', `there is a log ${name} already`)
    const [last] = await raw.query<{ id: number | null }>('select max(id) as id from log_trees')
    const columns = [
      'id',
      'name',
      'origin',
      'frozen',
      'head_size',
      'head_root',
      'published_size',
      'published_root',
      'published_note',
      'published_at',
    ]
    const { rootHash, note, signedAt } = empty
    await raw.insert('log_trees', columns, [[(last?.id ?? 0) + 1, name, origin, 0, 0, rootHash, 0, rootHash, note, signedAt]])
  })
}

/** Names of all logs in the database. */
export async function treeNames(database: Database): Promise<readonly string[]> {
  const rows = await database.raw.query<{ name: string }>('select name from log_trees order by id')
  return rows.map(({ name }) => name)
}

/** Reads a tree's row. Throws `log_missing`: a log that should be there is never made anew. */
export async function readTree(database: Database, name: string): Promise<TreeRow> {
  const [row] = await database.raw.query<Record<string, SqlValue>>('select * from log_trees where name = ?', [name])
  if (row === undefined) {
    throw new CountersignError('log_missing', `the database has no log ${name}`, { hint: 'Restore the data folder from a backup.' })
  }
  return {
    id: row.id as number,
    origin: row.origin as string,
    frozen: row.frozen === 1,
    head: { size: row.head_size as number, rootHash: row.head_root as Uint8Array },
    published: {
      size: row.published_size as number,
      rootHash: row.published_root as Uint8Array,
      note: row.published_note as string,
      signedAt: row.published_at as number,
    },
  }
}

/** Closes a log for ever: entries that are decided are still published, no further one is. */
export async function freezeTree(database: Database, name: string): Promise<void> {
  await database.raw.run('update log_trees set frozen = 1 where name = ?', [name])
}

/** Staged batches in their order. */
export async function stagedBatches(database: Database, tree: number): Promise<readonly StagedBatch[]> {
  const rows = await database.raw.query<{ first: number; count: number; leaves: Uint8Array; entries: Uint8Array }>(
    'select first, count, leaves, entries from log_staged where tree = ? order by first',
    [tree],
  )
  return rows.map((row) => ({ first: row.first, leaves: decodeLeaves(row.count, row) }))
}

/** Commits a batch: head, staged entries and indices together. `false` when the head is another one, or the log is frozen: nothing was written then. */
export async function commitBatch(database: Database, tree: number, commit: Commit): Promise<boolean> {
  const { from, to, leaves } = commit
  const first = from.size
  const count = leaves.data.length
  return database.transaction(async (_, raw) => {
    const swapped = await raw.run(
      'update log_trees set head_size = ?, head_root = ? where id = ? and head_size = ? and head_root = ? and frozen = 0',
      [to.size, to.rootHash, tree, from.size, from.rootHash],
    )
    if (swapped !== 1) return false
    if (count > 0) {
      const staged = encodeLeaves(leaves)
      await raw.run('delete from log_staged where tree = ? and first + count <= ?', [tree, first])
      await raw.insert('log_staged', ['tree', 'first', 'count', 'leaves', 'entries'], [[tree, first, count, staged.leaves, staged.entries]])
      await raw.insert('log_batches', ['tree', 'first', 'count', 'integrated_at'], [[tree, first, count, commit.integratedAt]])
      const indexed = commit.identities.map((identity, i) => [tree, identity, first + i] as const)
      await raw.insert('log_identities', ['tree', 'identity', 'idx'], indexed)
    }
    for (const { id, index, duplicate } of commit.answered) {
      await raw.run('update log_queue set idx = ?, duplicate = ? where id = ?', [index, duplicate ? 1 : 0, id])
    }
    return true
  })
}

/** Publishes a checkpoint in the place of the one before. `false` when another one is published: nothing was written then. */
export async function publishCheckpoint(
  database: Database,
  tree: number,
  from: PublishedCheckpoint,
  to: PublishedCheckpoint,
): Promise<boolean> {
  const swapped = await database.raw.run(
    'update log_trees set published_size = ?, published_root = ?, published_note = ?, published_at = ? where id = ? and published_size = ? and published_root = ?',
    [to.size, to.rootHash, to.note, to.signedAt, tree, from.size, from.rootHash],
  )
  return swapped === 1
}

/** Identities that one statement asks for. */
const chunk = 64

/** Which of these identities have an index already, by {@link identityKey}. */
export async function knownIdentities(
  database: Database,
  tree: number,
  identities: readonly Uint8Array[],
): Promise<ReadonlyMap<string, number>> {
  const known = new Map<string, number>()
  // One text for the statement: the last chunk is filled up with its first.
  const text = `select identity, idx from log_identities where tree = ? and identity in (${Array.from({ length: chunk }, () => '?').join(', ')})`
  for (let at = 0; at < identities.length; at += chunk) {
    const some = identities.slice(at, at + chunk)
    const filled = Array.from({ length: chunk }, (_, i) => some[i] ?? (some[0] as Uint8Array))
    const rows = await database.raw.query<{ identity: Uint8Array; idx: number }>(text, [tree, ...filled])
    for (const { identity, idx } of rows) known.set(identityKey(identity), idx)
  }
  return known
}

/** An identity as the key of a map. */
export function identityKey(identity: Uint8Array): string {
  return Buffer.from(identity.buffer, identity.byteOffset, identity.length).toString('latin1')
}

/** Index of the entry with this identity, published or only decided. */
export async function indexOfIdentity(database: Database, tree: number, identity: Uint8Array): Promise<number | undefined> {
  const [row] = await database.raw.query<{ idx: number }>('select idx from log_identities where tree = ? and identity = ?', [
    tree,
    identity,
  ])
  return row?.idx
}

/** When the batch of this entry was integrated, Unix milliseconds. Throws `log_damaged` when there is no such batch. */
export async function integrationTime(database: Database, tree: number, index: number): Promise<number> {
  const [row] = await database.raw.query<{ first: number; count: number; integrated_at: number }>(
    'select first, count, integrated_at from log_batches where tree = ? and first <= ? order by first desc limit 1',
    [tree, index],
  )
  if (row === undefined || index >= row.first + row.count) throw new CountersignError('log_damaged', `entry ${index} belongs to no batch`)
  return row.integrated_at
}

/** Sizes of the tree after each batch that ended from `start` to `end`, both included: for each there were partial tiles. */
export async function batchEnds(database: Database, tree: number, start: number, end: number): Promise<readonly number[]> {
  const rows = await database.raw.query<{ size: number }>(
    'select first + count as size from log_batches where tree = ? and first >= ? and first < ? and first + count >= ? and first + count <= ?',
    [tree, start - maxBatchEntries, end, start, end],
  )
  return rows.map(({ size }) => size)
}
