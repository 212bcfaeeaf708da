/** Keeps the search index: reads what the logs have published, a bundle at a time, behind a cursor; and answers from it. */
import { hashLeaf } from '@countersign/core/merkle/tree'
import { searchKeys } from '@countersign/core/rekor/search-keys'
import { hashBytes } from '../../base/crypto/primitives.ts'
import type { Database } from '../../base/database/database.ts'
import type { OpenTreeLog } from '../engine/open-log.ts'

/** A log that is searched. `name` is what the index calls it: the tree ID of a v1 log, any other name for others. */
export type SearchedLog = { readonly name: string; readonly log: Pick<OpenTreeLog, 'checkpoint' | 'bundle'> }

/** An entry that was found. */
export type FoundEntry = { readonly log: string; readonly index: number; readonly leafHash: Uint8Array }

/** The index of some logs. */
export type SearchIndex = {
  /** Reads what is new in all logs; gives how many entries it read. Two processes may do it at once. */
  readonly catchUp: () => Promise<number>
  /** Entries that have all or any of the keys, oldest first, at most 1,000. Reads what is new first, so that an entry is found as soon as it is logged. */
  readonly find: (keys: readonly string[], operator: 'and' | 'or') => Promise<readonly FoundEntry[]>
  /** Adds keys that the log does not keep. */
  readonly remember: (log: string, index: number, keys: readonly string[]) => Promise<void>
  /** Forgets everything: the next `catchUp` begins anew. */
  readonly reset: () => Promise<void>
}

const bundleWidth = 256
const maxFound = 1000
const primitives = { hash: hashBytes }

/** Makes the index over the database. `logs` may be more each time that they are asked for. */
export function searchIndex({ raw, transaction }: Database, logs: () => readonly SearchedLog[]): SearchIndex {
  const catchUpOne = async ({ name, log }: SearchedLog): Promise<number> => {
    const { size } = await log.checkpoint()
    const [row] = await raw.query<{ size: number }>('select size from log_search_progress where log = ?', [name])
    const start = row?.size ?? 0
    for (let at = start; at < size;) {
      const number = Math.floor(at / bundleWidth)
      const entries = await log.bundle(number)
      const end = Math.min(size, number * bundleWidth + entries.length)
      if (end <= at) break
      const rows = rowsOf(name, entries.slice(at - number * bundleWidth, end - number * bundleWidth), at)
      await transaction(async (_, statements) => {
        await statements.insert('log_search_keys', ['hash', 'log', 'idx'], rows, 'ignore')
        await statements.insert('log_search_progress', ['log', 'size'], [[name, 0]], 'ignore')
        await statements.run('update log_search_progress set size = ? where log = ? and size < ?', [end, name, end])
      })
      at = end
    }
    return Math.max(0, size - start)
  }
  let running: Promise<number> | undefined
  const catchUp = (): Promise<number> => {
    running ??= (async () => {
      let read = 0
      for (const log of logs()) read += await catchUpOne(log)
      return read
    })().finally(() => (running = undefined))
    return running
  }
  const placesOf = async (key: string): Promise<ReadonlyMap<string, Place>> => {
    const text = 'select log, idx from log_search_keys where hash = ? order by log, idx limit 1000'
    const rows = await raw.query<Place>(text, [keyHash(key)])
    return new Map(rows.map((row) => [`${row.log} ${row.idx}`, row]))
  }
  return {
    catchUp,
    find: async (keys, operator) => {
      await catchUp()
      const sets = await Promise.all(keys.map(placesOf))
      const [first = new Map(), ...rest] = sets
      const places =
        operator === 'or'
          ? new Map(sets.flatMap((set) => [...set]))
          : new Map([...first].filter(([id]) => rest.every((set) => set.has(id))))
      const found = await readFound(logs(), [...places.values()].slice(0, maxFound))
      return found.toSorted((a, b) => a.index - b.index)
    },
    remember: async (log, index, keys) => {
      await raw.insert(
        'log_search_keys',
        ['hash', 'log', 'idx'],
        keys.map((key) => [keyHash(key), log, index]),
        'ignore',
      )
    },
    reset: async () => {
      await transaction(async (_, statements) => {
        await statements.run('delete from log_search_keys')
        await statements.run('delete from log_search_progress')
      })
    },
  }
}

function rowsOf(log: string, entries: readonly Uint8Array[], first: number): (readonly [Uint8Array, string, number])[] {
  return entries.flatMap((entry, offset) => searchKeys(primitives, entry).map((key) => [keyHash(key), log, first + offset] as const))
}

/** 16 bytes are enough for finding; what is found is looked at again. */
function keyHash(key: string): Uint8Array {
  return hashBytes('sha256', new TextEncoder().encode(key.toLowerCase())).slice(0, 16)
}

type Place = { readonly log: string; readonly idx: number }

/** Hostile: all entries of a search may be great, and in few bundles. Each bundle is read once, one after the other, and not kept. */
async function readFound(logs: readonly SearchedLog[], places: readonly Place[]): Promise<FoundEntry[]> {
  const found: FoundEntry[] = []
  const bundles = Map.groupBy(places, ({ log, idx }) => `${Math.floor(idx / bundleWidth)} ${log}`)
  for (const together of bundles.values()) {
    const [{ log: name, idx } = { log: '', idx: 0 }] = together
    const entries = await logs.find((log) => log.name === name)?.log.bundle(Math.floor(idx / bundleWidth))
    for (const place of together) {
      const data = entries?.[place.idx % bundleWidth]
      if (data !== undefined) found.push({ log: name, index: place.idx, leafHash: hashLeaf(primitives, data) })
    }
  }
  return found
}
