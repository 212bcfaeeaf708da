/**
 * The cache on disk: bytes by digest, and listings with an age. Nothing that was proven is kept: every run hashes the bytes and verifies the
 * signatures again, so that whoever can write here can make a run fetch, never accept.
 *
 * One file for each repository and way of reaching it, because that somebody may read a digest in one repository says nothing about
 * another; in it the objects, named by their digests, and listings for each credential that was answered.
 */
import { createHash } from 'node:crypto'
import { digestAlgorithm, digestHex, type Digest } from '@countersign/core/digest'
import { utf8 } from '@countersign/core/bytes'
import { readListings, writeListings, type Listing, type Listings } from './listings.ts'
import { decodePack, encodeRecords, type Pack, type PackRecord } from './pack.ts'
import { appendPrivateFile, openPrivateFolder, readPrivateFile, replacePrivateFile } from './private-folder.ts'
import { packPrefix, sweepWhenFull, usageFile } from './sweep.ts'

/** Where the cache is, and its bounds. */
export type DiskCacheOptions = {
  readonly folder: string
  /** Bytes of all files together; default 256 MiB. */
  readonly maxBytes?: number
  /** Repositories; default 20,000. */
  readonly maxRepositories?: number
}

/** What was read from one repository. */
export type PlaceCache = {
  /** The bytes of that digest, hashed just now; of at most `maxBytes`. */
  readonly read: (kind: 'blob' | 'manifest', digest: Digest, maxBytes: number) => Uint8Array | undefined
  /** Keeps bytes that were checked against the digest. They are written when the run ends. */
  readonly keep: (kind: 'blob' | 'manifest', digest: Digest, bytes: Uint8Array) => void
  /** Whether listings are there that are somebody's alone. */
  readonly hasPrivateListings: () => boolean
  readonly readListings: (owner: string) => readonly (readonly [string, Listing])[]
  readonly keepListings: (owner: string, listings: Listings, maxAgeMs: number) => void
}

/** The cache of one run. */
export type DiskCache = {
  /** `traits`: everything that decides who answers. */
  readonly place: (traits: readonly string[]) => PlaceCache
  /** Writes what was kept. */
  readonly flush: () => void
}

/** Whose listings are everybody's: the registry gave them without being shown a credential. */
export const everybody = 'everybody'

/** Bytes of one repository: 8 MiB, which a verification of one image of it can read without being slower than a request. */
const maxPlaceBytes = 8 * 1024 * 1024
/** Bytes that one run keeps for later at most: 64 MiB. */
const maxPendingBytes = 64 * 1024 * 1024
const listingsPrefix = 'listings-'

/** Opens a cache; `undefined` when the folder is none that may be used. Nothing is written before `flush`. */
export function openDiskCache(options: DiskCacheOptions, nowMs: () => number): DiskCache | undefined {
  const { folder, maxBytes = 256 * 1024 * 1024, maxRepositories = 20_000 } = options
  if (!openPrivateFolder(folder)) return undefined
  const places: Place[] = []
  const budget = { left: Math.min(maxPendingBytes, maxBytes) }
  return {
    place: (traits) => {
      const place = openPlace(folder, `${packPrefix}${shortHash(JSON.stringify(traits))}`, budget, nowMs)
      places.push(place)
      return place.cache
    },
    flush: () => {
      const written = places.map((place) => place.write()).filter((bytes) => bytes > 0)
      if (written.length === 0) return
      // One short write at the end of the file: runs at the same time lose no count.
      const total = written.reduce((sum, bytes) => sum + bytes, 0)
      appendPrivateFile(`${folder}/${usageFile}`, utf8(`${total} ${written.length}\n`))
      sweepWhenFull(folder, maxBytes, maxRepositories, nowMs())
    },
  }
}

type Place = { readonly cache: PlaceCache; /** Gives the bytes written. */ readonly write: () => number }

function openPlace(folder: string, name: string, budget: { left: number }, nowMs: () => number): Place {
  const path = `${folder}/${name}`
  const added = new Map<string, Uint8Array>()
  let read: Pack | undefined
  const pack = (): Pack => (read ??= decodePack(readPrivateFile(path, 2 * maxPlaceBytes, nowMs()) ?? new Uint8Array()))
  const add = (record: string, bytes: Uint8Array): void => {
    if (bytes.length > maxPlaceBytes / 4 || bytes.length > budget.left) return
    budget.left -= bytes.length
    added.set(record, bytes)
  }
  const cache: PlaceCache = {
    read: (kind, digest, maxBytes) => {
      const bytes = pack().records.get(objectName(kind, digest))
      if (bytes === undefined || bytes.length > maxBytes) return undefined
      // A copy: a view of one object would hold all of the file in memory.
      return createHash(digestAlgorithm(digest)).update(bytes).digest('hex') === digestHex(digest) ? bytes.slice() : undefined
    },
    keep: (kind, digest, bytes) => {
      const record = objectName(kind, digest)
      if (!added.has(record)) add(record, bytes)
    },
    hasPrivateListings: () =>
      [...pack().records.keys()].some((record) => record.startsWith(listingsPrefix) && record !== listingsName(everybody)),
    readListings: (owner) => readListings(pack().records.get(listingsName(owner)) ?? new Uint8Array()),
    keepListings: (owner, listings, maxAgeMs) => {
      const document = writeListings(listings, nowMs(), maxAgeMs)
      if (document !== undefined) add(listingsName(owner), utf8(document))
    },
  }
  return { cache, write: () => writePlace(folder, name, pack, added) }
}

/** Appends; a pack that is damaged or grows beyond its bound is written anew, its latest records alone. */
function writePlace(folder: string, name: string, pack: () => Pack, added: ReadonlyMap<string, Uint8Array>): number {
  if (added.size === 0) return 0
  const { records, whole } = pack()
  const addition = encodeRecords(recordsOf(added))
  const size = [...records].reduce((sum, [record, bytes]) => sum + record.length + bytes.length, addition.length)
  if (whole && size <= maxPlaceBytes) return appendPrivateFile(`${folder}/${name}`, addition) ? addition.length : 0
  const kept: PackRecord[] = []
  let left = maxPlaceBytes / 2
  for (const { name: record, bytes } of recordsOf(new Map([...records, ...added])).toReversed()) {
    left -= record.length + bytes.length
    if (left < 0) break
    kept.push({ name: record, bytes })
  }
  const document = encodeRecords(kept.toReversed())
  return replacePrivateFile(folder, name, document) ? document.length : 0
}

function recordsOf(records: ReadonlyMap<string, Uint8Array>): readonly PackRecord[] {
  return [...records].map(([name, bytes]) => ({ name, bytes }))
}

function objectName(kind: 'blob' | 'manifest', digest: Digest): string {
  return `${kind}-${digest.replace(':', '-')}`
}

function listingsName(owner: string): string {
  return `${listingsPrefix}${shortHash(owner)}`
}

/** 128 bits of SHA-256: names that nobody can make collide. */
function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
