/**
 * Adds a signature to a document that many writers share (fallback index, `.sig`, `.att`), on registries with and without compare-and-swap.
 *
 * Durable steps, each with what a crash after it leaves:
 *
 *  1. (caller) Blobs are stored. A crash leaves garbage that nothing refers to.
 *  2. (caller, `conditions.ts`) The writer's own manifest is stored under the writer's own tag. From here on every reader of ours finds the
 *     signature; a crash leaves it under that tag only, and the next writer, or a repeated `sign`, merges it. Where the registry has proved
 *     that it honours conditions, it is stored by digest alone, without a tag: a crash leaves more garbage.
 *  3. The shared document is written with everything that it held, everything that any writer tag holds, and our own signature.
 *     A crash leaves the signature where cosign finds it too.
 *  4. Tags and document are read again; if another writer's stale write dropped anything, step 3 is repeated.
 *
 * Why nothing is lost: consider the last write of the document, by W. W reads all tags afterwards and finds nothing missing, so whatever
 * was tagged by then is in it; a writer whose tag came later writes the document after its own tag, thus after W. The document that a writer
 * starts from may therefore be read while its tag is still being written: what counts is that it writes, and reads again, after the tag.
 * Only a signature that was tagged long ago, by a writer that died, may be found merged by the first read. Tags are never deleted here.
 */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Repository, StoredManifest, WriteCondition } from '../registry/repository.ts'
import { halfOf, parseWriterTag, type WriterTagKind, writerTag } from '../discover/writer-tag.ts'
import type { Document } from './document.ts'
import { patiently, type Pause, randomPause } from './patience.ts'

/** The shared document, in the words of the merge: entries by the digest whose first half their writer's tag carries. */
export type SharedDocument<Entry> = {
  readonly kind: WriterTagKind
  readonly tag: string
  /** Entries of the stored document. Throws `manifest_malformed` for what must not be overwritten. */
  readonly entries: (stored: StoredManifest) => ReadonlyMap<Digest, Entry>
  /** Entries that a writer tag's manifest brings. */
  readonly contributed: (manifest: StoredManifest) => ReadonlyMap<Digest, Entry>
  /** True for an entry of others that must leave the document (`attest --replace`). */
  readonly dropped?: (entry: Entry) => boolean
  /** Makes the document, and stores what it refers to. */
  readonly build: (entries: ReadonlyMap<Digest, Entry>) => Promise<Document>
}

/** The writer's own manifest, and what its tag is named after. */
export type Contribution = {
  readonly manifest: Document
  readonly content: Digest
  /** Step 2, under way: whether the registry honours conditions (`claimOwnTag`). */
  readonly claim: Promise<boolean>
  /** Further manifests of the same writer, claimed with it, which one merge lists together. */
  readonly beside?: readonly { readonly manifest: Document; readonly content: Digest }[]
}

/** How often, and how patiently, the document is written again. */
export type MergeOptions = {
  readonly maxRounds?: number
  /** Waits before a round, or before a failed step is repeated; default is random, so that writers get out of step. */
  readonly pause?: Pause
}

/** What the writers of both layouts take. */
export type WriteOptions = MergeOptions & {
  /** Told as soon as the manifest of this digest is stored; awaited along with its listing. */
  readonly whenStored?: (manifest: Digest) => Promise<void>
}

const defaultRounds = 24

/** Hostile: whoever may push tags may push any number of them, and each would be fetched; readers look at no more either. */
const maxUnread = 5_000

/** Merges a contribution into a shared document; gives that document's digest when a read has shown that it, and all else, is there. */
export async function mergeContribution<Entry>(
  repository: Repository,
  subject: Digest,
  own: Contribution,
  shared: SharedDocument<Entry>,
  options: MergeOptions = {},
): Promise<Digest> {
  const pause = options.pause ?? randomPause
  const maxRounds = options.maxRounds ?? defaultRounds
  const all = [own, ...(own.beside ?? [])]
  const known = new Map(all.flatMap(({ manifest }) => [...shared.contributed(asStored(manifest))]))
  const readTags = new Set(all.map(({ content }) => halfOf(content)))
  const readOnce = (): Promise<Round<Entry>> => patiently(() => readRound(repository, subject, shared, known, readTags), pause)
  let [read, conditional] = await Promise.all([readOnce(), own.claim])
  for (let round = 0; round < maxRounds; round++) {
    if (round > 1) await pause(round)
    if (round > 0) read = await readOnce()
    if (read.complete) return read.stored.digest
    // A store that proved conditions and still refuses every one is treated as one that has none: our tag keeps us safe.
    const hasVersion = read.stored === undefined || read.stored.etag !== undefined
    if (conditional && (!hasVersion || round >= maxRounds / 2)) conditional = await putOwnTags(repository, subject, all, shared.kind)
    const condition = conditional ? conditionFor(read.stored) : undefined
    const { entries } = read
    // 3. The shared document. Until a later round has read it back, nothing is confirmed.
    await patiently(async () => {
      const document = await shared.build(inStoredOrder(entries, known))
      await repository.putManifest({ tag: shared.tag }, document.bytes, document.mediaType, condition)
    }, pause)
  }
  throw new CountersignError('write_not_confirmed', `after ${maxRounds} rounds the tag ${shared.tag} still lacks signatures`, {
    hint: 'Other writers may be busy with the same image. Sign again: nothing that is stored is lost.',
  })
}

type Round<Entry> = { readonly entries: ReadonlyMap<Digest, Entry> } & (
  | { readonly complete: true; readonly stored: StoredManifest }
  | { readonly complete: false; readonly stored: StoredManifest | undefined }
)

/** Lists and reads once; adds to `known` whatever is new, and never takes anything from it. */
async function readRound<Entry>(
  repository: Repository,
  subject: Digest,
  shared: SharedDocument<Entry>,
  known: Map<Digest, Entry>,
  readTags: Set<string>,
): Promise<Round<Entry>> {
  const [tags, stored] = await Promise.all([writerTagsOf(repository, subject, shared.kind), repository.manifest({ tag: shared.tag })])
  const learn = (entries: ReadonlyMap<Digest, Entry>): void => {
    for (const [key, entry] of entries) if (!known.has(key) && shared.dropped?.(entry) !== true) known.set(key, entry)
  }
  const entries = stored === undefined ? new Map<Digest, Entry>() : shared.entries(stored)
  learn(entries)
  const halves = new Set([...known.keys()].map(halfOf))
  const unread = [...tags].filter(([half]) => !halves.has(half) && !readTags.has(half))
  if (unread.length > maxUnread) {
    throw new CountersignError(
      'limit_exceeded',
      `${repository.name} has ${unread.length} writer tags of this image that nobody has merged`,
      {
        expected: `at most ${maxUnread}`,
        hint: `Look at the tags that begin with ${shared.tag.slice(0, 71)}. and delete those that no signer of yours has put.`,
      },
    )
  }
  const manifests = await Promise.all(unread.map(async ([half, tag]) => ({ half, manifest: await repository.manifest({ tag }) })))
  for (const { half, manifest } of manifests) {
    // Listed and not there: deleted just now, or its writer is still at it. Its writer merges it; the next round looks again.
    if (manifest === undefined) continue
    readTags.add(half)
    learn(shared.contributed(manifest))
  }
  const holdsAll = entries.size === known.size && [...known.keys()].every((key) => entries.has(key))
  return holdsAll && stored !== undefined ? { complete: true, stored, entries } : { complete: false, stored, entries }
}

/** What was there keeps its place; what is new comes after it. */
function inStoredOrder<Entry>(stored: ReadonlyMap<Digest, Entry>, known: ReadonlyMap<Digest, Entry>): Map<Digest, Entry> {
  return new Map([...[...stored].filter(([key]) => known.has(key)), ...known])
}

async function writerTagsOf(repository: Repository, subject: Digest, kind: WriterTagKind): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const tag of repository.tags()) {
    const writer = parseWriterTag(subject, tag)
    if (writer?.kind === kind) found.set(writer.half, tag)
  }
  return found
}

async function putOwnTags(
  repository: Repository,
  subject: Digest,
  own: readonly Pick<Contribution, 'manifest' | 'content'>[],
  kind: WriterTagKind,
): Promise<false> {
  for (const { manifest, content } of own) {
    await repository.putManifest({ tag: writerTag(subject, kind, content) }, manifest.bytes, manifest.mediaType)
  }
  return false
}

function conditionFor(stored: StoredManifest | undefined): WriteCondition | undefined {
  if (stored === undefined) return { kind: 'if_none_match' }
  return stored.etag === undefined ? undefined : { kind: 'if_match', etag: stored.etag }
}

function asStored(document: Document): StoredManifest {
  return { bytes: document.bytes, mediaType: document.mediaType, digest: document.digest }
}
