/** Keeps the search index: reads what the logs have published, a bundle at a time, behind a cursor; and answers from it. */
import { utf8 } from '@countersign/core/bytes'
import { hashLeaf } from '@countersign/core/merkle/tree'
import { certificateNames, entryKeys, nameKey } from '@countersign/core/rekor/search-keys'
import { tileWidth } from '@countersign/core/tiles/path'
import { hashBytes, serverPrimitives } from '../../base/crypto/primitives.ts'
import type { Database } from '../../base/database/database.ts'
import { breathing } from '../../base/database/breathing.ts'
import type { OpenTreeLog } from '../engine/open-log.ts'
import type { IssuedByOurs } from '../own-authority.ts'

/** A log that is searched. `name` is what the index calls it: the tree ID of a v1 log, any other name for others. */
export type SearchedLog = { readonly name: string; readonly log: Pick<OpenTreeLog, 'checkpoint' | 'bundle'> }

/** An entry that was found. */
export type FoundEntry = { readonly log: string; readonly index: number; readonly leafHash: Uint8Array }

/** The index of some logs. */
export type SearchIndex = {
  /** Reads what is new in all logs; gives how many entries it read. Two processes may do it at once. */
  readonly catchUp: () => Promise<number>
  /** Reads at most 256 new entries; gives whether there were any. */
  readonly step: () => Promise<boolean>
  /** Where the entries are that have all of these few keys, one at least, log by log and oldest first. Reads what is new first. */
  readonly places: (keys: readonly string[], limit: number) => Promise<readonly { readonly log: string; readonly index: number }[]>
  /** Entries that have all or any of the keys, oldest first, at most 1,000. Reads what is new first, so that an entry is found as soon as it is logged. */
  readonly find: (keys: readonly string[], operator: 'and' | 'or') => Promise<readonly FoundEntry[]>
  /** Adds keys that the log does not keep. */
  readonly remember: (log: string, index: number, keys: readonly string[]) => Promise<void>
  /** Forgets everything: the next `catchUp` begins anew. */
  readonly reset: () => Promise<void>
}

const maxFound = 1000

/**
 * Makes the index over the database. `logs` may be more each time that they are asked for. Names are those in certificates of our own authorities.
 * Hostile: a log that takes entries by a key takes them in a certificate too, which anybody can make for anybody's name.
 */
export function searchIndex({ raw, transaction }: Database, logs: () => readonly SearchedLog[], issuedByOurs: IssuedByOurs): SearchIndex {
  const breathe = breathing()
  const rowsOf = async (log: string, entries: readonly Uint8Array[], first: number): Promise<Row[]> => {
    const rows: Row[] = []
    const isOurs = await issuedByOurs()
    for (const [offset, entry] of entries.entries()) {
      await breathe()
      const { keys, certificates } = entryKeys(serverPrimitives, entry)
      const names: string[] = []
      for (const certificate of certificates) if (await isOurs(certificate)) names.push(...certificateNames(certificate).map(nameKey))
      for (const key of new Set([...keys, ...names])) rows.push([keyHash(key), log, first + offset])
    }
    return rows
  }
  /** Reads what is new of one bundle; gives how many entries. */
  const readSome = async ({ name, log }: SearchedLog): Promise<number> => {
    const { size } = await log.checkpoint()
    const [row] = await raw.query<{ size: number }>('select size from log_search_progress where log = ?', [name])
    const at = row?.size ?? 0
    if (at >= size) return 0
    const number = Math.floor(at / tileWidth)
    const entries = await log.bundle(number)
    const end = Math.min(size, number * tileWidth + entries.length)
    if (end <= at) return 0
    const rows = await rowsOf(name, entries.slice(at - number * tileWidth, end - number * tileWidth), at)
    await transaction(async (_, statements) => {
      await statements.insert('log_search_keys', ['hash', 'log', 'idx'], rows, 'ignore')
      await statements.insert('log_search_progress', ['log', 'size'], [[name, 0]], 'ignore')
      await statements.run('update log_search_progress set size = ? where log = ? and size < ?', [end, name, end])
    })
    return end - at
  }
  const step = async (): Promise<boolean> => {
    for (const log of logs()) if ((await readSome(log)) > 0) return true
    return false
  }
  let running: Promise<number> | undefined
  const catchUp = (): Promise<number> => {
    running ??= (async () => {
      let read = 0
      for (const log of logs()) {
        for (let some = await readSome(log); some > 0; some = await readSome(log)) read += some
      }
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
    step,
    places: async (keys, limit) => {
      await catchUp()
      const [first = '', ...rest] = keys
      const joins = rest.map((_, i) => ` join log_search_keys k${i} on k${i}.hash = ? and k${i}.log = k.log and k${i}.idx = k.idx`).join('')
      const text = `select k.log, k.idx from log_search_keys k${joins} where k.hash = ? order by k.log, k.idx limit ?`
      const rows = await raw.query<Place>(text, [...rest.map(keyHash), keyHash(first), limit])
      return rows.map(({ log, idx }) => ({ log, index: idx }))
    },
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

type Row = readonly [hash: Uint8Array, log: string, index: number]

/** 16 bytes are enough for finding; what is found is looked at again. */
function keyHash(key: string): Uint8Array {
  return hashBytes('sha256', utf8(key.toLowerCase())).slice(0, 16)
}

type Place = { readonly log: string; readonly idx: number }

/** Hostile: all entries of a search may be great, and in few bundles. Each bundle is read once, one after the other, and not kept. */
async function readFound(logs: readonly SearchedLog[], places: readonly Place[]): Promise<FoundEntry[]> {
  const found: FoundEntry[] = []
  const bundles = Map.groupBy(places, ({ log, idx }) => `${Math.floor(idx / tileWidth)} ${log}`)
  for (const together of bundles.values()) {
    const [{ log: name, idx } = { log: '', idx: 0 }] = together
    const entries = await logs.find((log) => log.name === name)?.log.bundle(Math.floor(idx / tileWidth))
    for (const place of together) {
      const data = entries?.[place.idx % tileWidth]
      if (data !== undefined) found.push({ log: name, index: place.idx, leafHash: hashLeaf(serverPrimitives, data) })
    }
  }
  return found
}
