/** The rows of a log: batches without a gap, staged entries that follow, an index that names each entry once and nothing else. */
import { bytesToHex, equalBytes } from '@countersign/core/bytes'
import type { Database, SqlValue } from '../../base/database/database.ts'
import { identityKey, knownIdentities, stagedBatches, type StagedBatch, type TreeRow } from '../engine/tree-store.ts'
import { damaged } from './damage.ts'
import { parsed, type EntryProof, type ProvenEntry } from './entries.ts'
import type { FsckPlace } from './place.ts'

const page = 1_000

/** Proves the batches; gives how many there are. Throws `log_altered`. */
export async function proveBatches(database: Database, { id, head }: TreeRow): Promise<number> {
  let [next, count] = [0, 0]
  for (;;) {
    const rows = await database.raw.query<{ first: number; count: number; integrated_at: number }>(
      `select first, count, integrated_at from log_batches where tree = ? and first >= ? order by first limit ${page}`,
      [id, next],
    )
    for (const row of rows) {
      const where = `log_batches, tree ${id}, first ${row.first}`
      if (row.first !== next || row.count < 1) {
        throw damaged(where, 'the batch does not begin where the one before ends', { expected: `${next}`, found: `${row.first}` })
      }
      if (row.integrated_at < 0) throw damaged(where, 'the time of the batch is before all times')
      next = row.first + row.count
      count++
    }
    if (rows.length < page) break
  }
  const overlapping = await number(database, 'select count(*) as n from log_batches where tree = ?', [id])
  if (overlapping !== count) throw damaged(`log_batches, tree ${id}`, 'batches overlap', { expected: `${count}`, found: `${overlapping}` })
  if (next !== head.size) {
    throw damaged(`log_batches, tree ${id}`, 'the batches do not end with the head', { expected: `${head.size}`, found: `${next}` })
  }
  return count
}

/**
 * The staged batches: each follows the one before, their leaf hashes are those of their entries, and they reach from the published tree, or before
 * it, to the head. Throws `log_altered`.
 */
export async function proveStaged(database: Database, row: TreeRow, entries: EntryProof): Promise<readonly StagedBatch[]> {
  const where = `log_staged, tree ${row.id}`
  const batches = await stagedBatches(database, row.id).catch((cause: unknown) =>
    parsed(where, () => {
      throw cause
    }),
  )
  let end = batches[0]?.first ?? row.head.size
  if (end > row.published.size) throw damaged(where, 'entries between the published tree and the head are not staged')
  for (const { first, leaves } of batches) {
    if (first !== end) throw damaged(`${where}, first ${first}`, 'the staged batch does not begin where the one before ends')
    const proven: ProvenEntry[] = []
    for (const [i, data] of leaves.data.entries()) {
      const entry = await entries.prove(data, first + i, `${where}, first ${first}`)
      const staged = leaves.hashes[i] as Uint8Array
      if (!equalBytes(entry.leafHash, staged)) {
        throw damaged(`${where}, first ${first}, entry ${first + i}`, 'the staged leaf hash is not that of the staged entry', {
          expected: bytesToHex(entry.leafHash),
          found: bytesToHex(staged),
        })
      }
      proven.push(entry)
    }
    await proveIdentities(database, row.id, first, proven)
    end = first + leaves.data.length
  }
  if (end !== row.head.size)
    throw damaged(where, 'the staged batches do not end with the head', { expected: `${row.head.size}`, found: `${end}` })
  return batches
}

/** Proves that the index names these entries, the first of which is `first`. Throws `log_altered`. */
export async function proveIdentities(database: Database, tree: number, first: number, proven: readonly ProvenEntry[]): Promise<void> {
  const known = await knownIdentities(
    database,
    tree,
    proven.map(({ identity }) => identity),
  )
  for (const [i, { identity }] of proven.entries()) {
    const found = known.get(identityKey(identity))
    if (found === first + i) continue
    const where = `log_identities, tree ${tree}, identity ${bytesToHex(identity)}`
    if (found === undefined) throw damaged(where, 'the index has no row of this entry', { expected: `${first + i}`, found: 'nothing' })
    throw damaged(where, 'the index names another entry', { expected: `${first + i}`, found: `${found}` })
  }
}

/** After every entry was found in the index: it must have nothing more. Also the queue and the search index speak of no entry that is not there. */
export async function proveNoMore(database: Database, place: FsckPlace, row: TreeRow): Promise<number> {
  const { id, head, published, origin } = row
  const rows = await number(database, 'select count(*) as n from log_identities where tree = ?', [id])
  if (rows !== head.size) {
    throw damaged(`log_identities, tree ${id}`, 'the index has rows of entries that are not in the log', {
      expected: `${head.size} rows`,
      found: `${rows}`,
    })
  }
  const answered = await number(database, 'select count(*) as n from log_queue where tree = ? and idx >= ?', [id, head.size])
  if (answered !== 0) throw damaged(`log_queue, tree ${id}`, 'an answer names an entry that is not in the log')
  if (place.kind !== 'ct')
    await proveCursor(database, place.kind === 'rekor1' ? origin.slice(origin.lastIndexOf(' ') + 1) : place.name, published.size)
  return rows
}

/** The search index proves nothing, but what it says it has read must be there. */
async function proveCursor(database: Database, log: string, size: number): Promise<void> {
  const [cursor] = await database.raw.query<{ size: number }>('select size from log_search_progress where log = ?', [log])
  if (cursor !== undefined && (cursor.size > size || cursor.size < 0)) {
    throw damaged(`log_search_progress, ${log}`, 'the search index has read more than there is', {
      expected: `at most ${size}`,
      found: `${cursor.size}`,
    })
  }
  const beyond = await number(database, 'select count(*) as n from log_search_keys where log = ? and (idx >= ? or idx < 0)', [log, size])
  if (beyond !== 0) throw damaged(`log_search_keys, ${log}`, 'the search index names entries that are not in the log')
}

async function number(database: Database, text: string, values: readonly SqlValue[]): Promise<number> {
  const [row] = await database.raw.query<{ n: number }>(text, values)
  return row?.n ?? 0
}
