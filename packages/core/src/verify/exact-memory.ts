/** A bounded memory whose keys are byte strings: what is found was kept under exactly these bytes, compared one by one. */
import { equalBytes } from '../bytes.ts'

/** Values by a text and byte strings. Without asking twice it holds at most so many; the ones not asked for longest go first. */
export type ExactMemory<T> = {
  readonly recall: (text: string, parts: readonly Uint8Array[]) => T | undefined
  /**
   * Keeps what `make` gives for a copy of the parts: the caller may go on to write something else into his bytes. Parts that are too long
   * together are not kept.
   */
  readonly note: (text: string, parts: readonly Uint8Array[], make: (own: readonly Uint8Array[]) => T) => T
  readonly size: () => number
}

type Entry<T> = { readonly text: string; readonly parts: readonly Uint8Array[]; readonly value: T }

/** Bytes of each part that choose its bucket: the last ones, which in signatures, keys and certificates differ. */
const sampledBytes = 8
/** Hostile: whoever makes many inputs with equal samples makes them forget one another, not slow. */
const maxBucket = 4

/** Makes an empty memory of at most `maxEntries` values, under keys of at most `maxBytes` together. */
export function createExactMemory<T>(maxEntries: number, maxBytes: number): ExactMemory<T> {
  const buckets = new Map<number, readonly Entry<T>[]>()
  let size = 0
  const put = (sample: number, entries: readonly Entry<T>[]): void => {
    size += entries.length - (buckets.get(sample)?.length ?? 0)
    buckets.delete(sample)
    if (entries.length > 0) buckets.set(sample, entries)
  }
  return {
    size: () => size,
    recall: (text, parts) => {
      const sample = sampleOf(parts)
      const bucket = buckets.get(sample)
      const found = bucket?.find((entry) => entry.text === text && isSame(entry.parts, parts))
      if (bucket !== undefined && found !== undefined) put(sample, bucket)
      return found?.value
    },
    note: (text, parts, make) => {
      if (parts.reduce((sum, part) => sum + part.length, 0) > maxBytes) return make(parts)
      const own = parts.map((part) => new Uint8Array(part))
      const value = make(own)
      const sample = sampleOf(own)
      put(sample, [...(buckets.get(sample) ?? []), { text, parts: own, value }].slice(-maxBucket))
      for (const oldest of buckets.keys()) {
        if (size <= maxEntries) break
        put(oldest, [])
      }
      return value
    },
  }
}

function sampleOf(parts: readonly Uint8Array[]): number {
  let sample = 0
  for (const part of parts) {
    const end = part.length
    for (let at = Math.max(0, end - sampledBytes); at < end; at++) sample = (Math.imul(sample, 31) + (part[at] as number)) | 0
    sample = (Math.imul(sample, 31) + end) | 0
  }
  return sample
}

function isSame(kept: readonly Uint8Array[], asked: readonly Uint8Array[]): boolean {
  return kept.length === asked.length && kept.every((part, index) => equalBytes(part, asked[index] as Uint8Array))
}
