/**
 * What a registry said of one repository a moment ago: which tags there are, where they point, what refers to a subject.
 *
 * Nothing here is trusted for content: a listing only names what is then read by digest and verified. It has an age, and it may be wrong.
 */
import { parseDigest, type Digest } from '@countersign/core/digest'
import { CountersignError, unreachable } from '@countersign/core/failure'
import { parseJson, type JsonValue } from '@countersign/core/json/parse'
import type { Descriptor } from '@countersign/core/oci/model'

/** One answer. */
export type ListedAnswer =
  | { readonly kind: 'absent' }
  | { readonly kind: 'found'; readonly descriptor: Descriptor }
  | { readonly kind: 'unsupported' }
  | { readonly kind: 'listed'; readonly manifests: readonly Descriptor[] }
  | { readonly kind: 'tags'; readonly tags: readonly string[] }

/** An answer and when it was asked for, Unix milliseconds. */
export type Listing = { readonly atMs: number; readonly answer: ListedAnswer }

/** Bounds of what is kept of one repository; a listing beyond them is not kept. */
export const listingLimits: { readonly tags: number; readonly manifests: number; readonly listings: number; readonly fileBytes: number } = {
  tags: 20_000,
  manifests: 1_000,
  listings: 100_000,
  fileBytes: 2 * 1024 * 1024,
}

/** The listings of one repository, by what was asked. */
export type Listings = {
  /** An answer of at most `maxAgeMs`; one that claims to come from the future is none. */
  readonly recall: (question: string, maxAgeMs: number) => ListedAnswer | undefined
  readonly note: (question: string, listing: Listing) => void
  /** Whether anything was noted that is not from disk. */
  readonly isNew: () => boolean
  /** Takes what was kept on disk. */
  readonly load: (entries: Iterable<readonly [string, Listing]>) => void
  readonly entries: () => Iterable<readonly [string, Listing]>
}

/** An empty memory. `nowMs` is the clock, Unix milliseconds. */
export function createListings(nowMs: () => number): Listings {
  const known = new Map<string, Listing>()
  let isNew = false
  const put = (question: string, listing: Listing): void => {
    const older = known.get(question)
    if (older === undefined ? known.size < listingLimits.listings : older.atMs <= listing.atMs) known.set(question, listing)
  }
  return {
    entries: () => known,
    isNew: () => isNew,
    recall: (question, maxAgeMs) => {
      const listing = known.get(question)
      if (listing === undefined) return undefined
      const age = nowMs() - listing.atMs
      return age >= 0 && age <= maxAgeMs ? listing.answer : undefined
    },
    note: (question, listing) => {
      isNew = true
      put(question, listing)
    },
    load: (entries) => {
      for (const [question, listing] of entries) put(question, listing)
    },
  }
}

/** Whether an answer is small enough to be kept. */
export function isKept(answer: ListedAnswer): boolean {
  if (answer.kind === 'tags') return answer.tags.length <= listingLimits.tags
  return answer.kind !== 'listed' || answer.manifests.length <= listingLimits.manifests
}

/** Listings as a document of one line; those older than `maxAgeMs` are left out. `undefined` when none is left, or they are too many. */
export function writeListings(listings: Listings, nowMs: number, maxAgeMs: number): string | undefined {
  const young = [...listings.entries()].filter(([, { atMs }]) => nowMs - atMs <= maxAgeMs)
  if (young.length === 0) return undefined
  const text = JSON.stringify(young.map(([question, { atMs, answer }]) => [question, atMs, plain(answer)]))
  return text.length > listingLimits.fileBytes ? undefined : text
}

function plain(answer: ListedAnswer): JsonValue {
  switch (answer.kind) {
    case 'found':
      return { kind: 'found', descriptor: plainDescriptor(answer.descriptor) }
    case 'listed':
      return { kind: 'listed', manifests: answer.manifests.map(plainDescriptor) }
    case 'absent':
    case 'unsupported':
    case 'tags':
      return answer
    default:
      return unreachable(answer)
  }
}

function plainDescriptor({ mediaType, digest, size }: Descriptor): JsonValue {
  return { mediaType, digest, size }
}

/** Reads what {@link writeListings} wrote. Hostile or damaged: whatever is not exactly of that form is as if it were not there. */
export function readListings(document: Uint8Array): readonly (readonly [string, Listing])[] {
  if (document.length === 0) return []
  let value: JsonValue
  try {
    value = parseJson(document, { maxBytes: listingLimits.fileBytes, maxDepth: 8 })
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return []
  }
  if (!Array.isArray(value)) return []
  return (value as readonly JsonValue[]).flatMap((entry) => readEntry(entry))
}

function readEntry(entry: JsonValue): readonly (readonly [string, Listing])[] {
  if (!Array.isArray(entry)) return []
  const [question, atMs, written] = entry as readonly JsonValue[]
  const answer = written === undefined ? undefined : readAnswer(written)
  if (typeof question !== 'string' || typeof atMs !== 'number' || answer === undefined || !isKept(answer)) return []
  return [[question, { atMs, answer }]]
}

function readAnswer(written: JsonValue): ListedAnswer | undefined {
  if (typeof written !== 'object' || written === null || Array.isArray(written)) return undefined
  const { kind, descriptor, manifests, tags } = written as Readonly<Record<string, JsonValue | undefined>>
  if (kind === 'absent' || kind === 'unsupported') return { kind }
  if (kind === 'tags') return isTexts(tags) ? { kind, tags } : undefined
  if (kind === 'found') {
    const read = readDescriptor(descriptor)
    return read && { kind, descriptor: read }
  }
  if (kind !== 'listed' || !Array.isArray(manifests)) return undefined
  const read = (manifests as readonly JsonValue[]).map(readDescriptor)
  return read.every((one) => one !== undefined) ? { kind, manifests: read } : undefined
}

function isTexts(value: JsonValue | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && item.length <= 128)
}

function readDescriptor(value: JsonValue | undefined): Descriptor | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { mediaType, digest, size } = value as Readonly<Record<string, JsonValue | undefined>>
  const parsed: Digest | undefined = typeof digest === 'string' ? parseDigest(digest) : undefined
  const sound =
    typeof mediaType === 'string' && mediaType.length <= 255 && typeof size === 'number' && Number.isSafeInteger(size) && size >= 0
  return parsed === undefined || !sound ? undefined : { mediaType, digest: parsed, size }
}
