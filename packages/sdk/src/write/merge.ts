/**
 * Adds a signature to a document that many writers share (fallback index, `.sig`, `.att`), on registries with and without compare-and-swap.
 *
 * Durable steps, each with what a crash after it leaves:
 *
 *  1. (caller) Blobs and the writer's own manifest are stored by digest. A crash leaves garbage that nothing refers to.
 *  2. The writer's own tag names that manifest. From here on every reader of ours finds the signature; a crash leaves it under that tag
 *     only, and the next writer, or a repeated `sign`, merges it. Skipped where the registry has proved that it honours conditions.
 *  3. The shared document is written with everything that it held, everything that any writer tag holds, and our own signature.
 *     A crash leaves the signature where cosign finds it too.
 *  4. Tags and document are read again; if another writer's stale write dropped anything, step 3 is repeated.
 *
 * Why nothing is lost: consider the last write of the document, by W. W reads all tags afterwards and finds nothing missing, so whatever
 * was tagged by then is in it; a writer whose tag came later reads the document after its own tag, and would write after W.
 * Tags are never deleted here.
 */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { ManifestReference, Repository, StoredManifest, WriteCondition } from '../registry/repository.ts'
import { parseWriterTag, type WriterTagKind, writerTag } from '../discover/writer-tag.ts'
import { proveConditions } from './conditions.ts'
import type { Document } from './document.ts'
import { patiently, type Pause, randomPause } from './patience.ts'

/** The shared document, in the words of the merge: entries by the half digest that a writer tag would carry. */
export type SharedDocument<Entry> = {
  readonly kind: WriterTagKind
  readonly tag: string
  /** Entries of the stored document. Throws `manifest_malformed` for what must not be overwritten. */
  readonly entries: (stored: StoredManifest | undefined) => ReadonlyMap<string, Entry>
  /** Entries that a writer tag's manifest brings. */
  readonly contributed: (manifest: StoredManifest) => ReadonlyMap<string, Entry>
  /** True for an entry that must leave the document (`attest --replace`). */
  readonly dropped?: (half: string, entry: Entry) => boolean
  /** Makes the document, and stores what it refers to. */
  readonly build: (entries: ReadonlyMap<string, Entry>) => Promise<Document>
}

/** The writer's own manifest, and what its tag is named after. */
export type Contribution = { readonly manifest: Document; readonly content: Digest }

/** How often, and how patiently, the document is written again. */
export type MergeOptions = {
  readonly maxRounds?: number
  /** Waits before a round, or before a failed step is repeated; default is random, so that writers get out of step. */
  readonly pause?: Pause
}

const defaultRounds = 24

/** Merges a contribution into a shared document and returns when a read has shown that it, and all else, is there. */
export async function mergeContribution<Entry>(
  repository: Repository,
  subject: Digest,
  own: Contribution,
  shared: SharedDocument<Entry>,
  options: MergeOptions = {},
): Promise<void> {
  const pause = options.pause ?? randomPause
  const maxRounds = options.maxRounds ?? defaultRounds
  let conditional = await patiently(() => claimOwnTag(repository, subject, own, shared.kind), pause)
  const known = new Map(shared.contributed(asStored(own.manifest)))
  const readTags = new Set([own.content.slice(7, 39)])
  for (let round = 0; round < maxRounds; round++) {
    if (round > 1) await pause(round)
    const read = await patiently(() => readRound(repository, subject, shared, known, readTags), pause)
    if (read.complete) return
    // A store that proved conditions and still refuses every one is treated as one that has none: our tag keeps us safe.
    const hasVersion = read.stored === undefined || read.stored.etag !== undefined
    if (conditional && (!hasVersion || round >= maxRounds / 2)) conditional = await putOwnTag(repository, subject, own, shared.kind)
    const condition = conditional ? conditionFor(read.stored) : undefined
    // 3. The shared document. Until a later round has read it back, nothing is confirmed.
    await patiently(async () => {
      const document = await shared.build(inStoredOrder(read.entries, known))
      await repository.putManifest({ tag: shared.tag }, document.bytes, document.mediaType, condition)
    }, pause)
  }
  throw new CountersignError('write_not_confirmed', `after ${maxRounds} rounds the tag ${shared.tag} still lacks signatures`, {
    hint: 'Other writers may be busy with the same image. Sign again: nothing that is stored is lost.',
  })
}

type Round<Entry> = {
  readonly complete: boolean
  readonly stored: StoredManifest | undefined
  readonly entries: ReadonlyMap<string, Entry>
}

/** Lists and reads once; adds to `known` whatever is new, and never takes anything from it. */
async function readRound<Entry>(
  repository: Repository,
  subject: Digest,
  shared: SharedDocument<Entry>,
  known: Map<string, Entry>,
  readTags: Set<string>,
): Promise<Round<Entry>> {
  const [tags, stored] = await Promise.all([writerTagsOf(repository, subject, shared.kind), repository.manifest({ tag: shared.tag })])
  const entries = shared.entries(stored)
  for (const [half, entry] of entries) if (!known.has(half) && shared.dropped?.(half, entry) !== true) known.set(half, entry)
  const unread = [...tags].filter(([half]) => !known.has(half) && !readTags.has(half))
  const manifests = await Promise.all(unread.map(async ([half, tag]) => ({ half, manifest: await repository.manifest({ tag }) })))
  for (const { half, manifest } of manifests) {
    // Listed and not there: deleted just now, or its writer is still at it. Its writer merges it; the next round looks again.
    if (manifest === undefined) continue
    readTags.add(half)
    for (const [half, entry] of shared.contributed(manifest)) {
      if (!known.has(half) && shared.dropped?.(half, entry) !== true) known.set(half, entry)
    }
  }
  const complete = stored !== undefined && entries.size === known.size && [...known.keys()].every((half) => entries.has(half))
  return { complete, stored, entries }
}

/** What was there keeps its place; what is new comes after it. */
function inStoredOrder<Entry>(stored: ReadonlyMap<string, Entry>, known: ReadonlyMap<string, Entry>): Map<string, Entry> {
  return new Map([...[...stored].filter(([half]) => known.has(half)), ...known])
}

async function writerTagsOf(repository: Repository, subject: Digest, kind: WriterTagKind): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const tag of repository.tags()) {
    const writer = parseWriterTag(subject, tag)
    if (writer?.kind === kind) found.set(writer.half, tag)
  }
  return found
}

/** 2. Our own tag, unless the registry proves with this very request that it honours conditions. Returns whether it did. */
async function claimOwnTag(repository: Repository, subject: Digest, own: Contribution, kind: WriterTagKind): Promise<boolean> {
  const tag: ManifestReference = { tag: writerTag(subject, kind, own.content) }
  const proof = await proveConditions(repository, tag, own.manifest)
  if (proof === 'not_proven') return putOwnTag(repository, subject, own, kind)
  return proof === 'honoured'
}

async function putOwnTag(repository: Repository, subject: Digest, own: Contribution, kind: WriterTagKind): Promise<false> {
  const tag = writerTag(subject, kind, own.content)
  await repository.putManifest({ tag }, own.manifest.bytes, own.manifest.mediaType)
  return false
}

function conditionFor(stored: StoredManifest | undefined): WriteCondition | undefined {
  if (stored === undefined) return { kind: 'if_none_match' }
  return stored.etag === undefined ? undefined : { kind: 'if_match', etag: stored.etag }
}

function asStored(document: Document): StoredManifest {
  return { bytes: document.bytes, mediaType: document.mediaType, digest: document.digest }
}
