/** Entry bundles (c2sp.org/tlog-tiles, "Log Entries"): up to 256 entries, each after its length as a big-endian uint16. */
import { joinBytes } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import { tileWidth, type EntryFolder } from './path.ts'

/** Most bytes of one entry. */
export const maxEntryBytes = 65_535

/** How a log lays out its entries; the static CT API has a layout of its own. */
export type EntryFormat = {
  readonly folder: EntryFolder
  /** One bundle of at most 256 entries. */
  readonly join: (entries: readonly Uint8Array[]) => Uint8Array
  /** The entries of a bundle. Throws `tile_malformed`. */
  readonly split: (bundle: Uint8Array) => readonly Uint8Array[]
}

/** The layout of tlog-tiles. */
export const entryBundles: EntryFormat = { folder: 'entries', join: joinEntries, split: splitEntries }

/** Any number of entries, each after its length: how a bundle is written, and how staged entries are. Throws `tile_malformed` on a longer one. */
export function joinEntries(entries: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const entry of entries) {
    if (entry.length > maxEntryBytes) throw malformed(`an entry of ${entry.length} bytes`, `at most ${maxEntryBytes}`)
    parts.push(Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry)
  }
  return joinBytes(parts)
}

/** Reads what {@link joinEntries} wrote, views into it; at most `max` entries. Throws `tile_malformed` when lengths do not add up. */
export function splitEntries(bundle: Uint8Array, max: number = tileWidth): readonly Uint8Array[] {
  const entries: Uint8Array[] = []
  for (let at = 0; at < bundle.length;) {
    const length = ((bundle[at] as number) << 8) | (bundle[at + 1] ?? 0)
    const end = at + 2 + length
    if (end > bundle.length) throw malformed('the last entry is cut off')
    if (entries.length === max) throw malformed('more entries than a bundle has', `at most ${max}`)
    entries.push(bundle.subarray(at + 2, end))
    at = end
  }
  return entries
}

function malformed(detail: string, expected?: string): CountersignError {
  return new CountersignError('tile_malformed', `not an entry bundle: ${detail}`, expected === undefined ? {} : { expected })
}
