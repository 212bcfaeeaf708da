/** An image layout folder as a repository that can be written, also by several processes at once. */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { parseJson, type JsonObject } from '@countersign/core/json/parse'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ListedManifest, ManifestReference, Repository, WriteCondition, WriteResult } from '../registry/repository.ts'
import { digestToWrite, sha256Digest, verifiedStream } from '../registry/verified-stream.ts'
import { systemCode, unreadableFile } from '../file-failure.ts'
import { writeDurably } from '../durable-file.ts'
import { openFolderStore, type FolderStore } from './folder-store.ts'
import { indexType, readLayoutIndex, refNameAnnotation } from './layout-index.ts'
import { withLock } from './layout-lock.ts'
import { readBlobWhole } from './layout-blob.ts'
import { createLayoutReader } from './layout-reader.ts'

/** Opens `oci:DIR`. Throws `file_not_found`, `layout_malformed`; a layout is never created by accident. */
export async function openLayoutRepository(directory: string): Promise<Repository> {
  const store = await openFolderStore(directory)
  return {
    ...createLayoutReader(store),
    putBlob: (bytes) => putBlob(store, bytes, sha256Digest(bytes)),
    putManifest: (reference, bytes, mediaType, condition) => putManifest(store, reference, bytes, mediaType, condition),
    deleteManifest: (reference) => deleteManifest(store, reference),
    carrier: {
      hasBlob: (wanted) => holdsWhole(store, wanted),
      putStream: (wanted, open) => writeDurably(store.blobPath(wanted.digest), verifiedStream(open(), wanted, `the blob ${wanted.digest}`)),
      list: (descriptor, as) => listManifest(store, descriptor, as),
    },
  }
}

/** {@link openLayoutRepository}, after making an empty layout where there is no folder, or an empty one. */
export async function createLayoutRepository(directory: string): Promise<Repository> {
  const entries = await namesIn(directory)
  if (entries.every((name) => name.endsWith('.tmp') || name === 'oci-layout')) {
    await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true })
    await writeDurably(join(directory, 'oci-layout'), utf8('{"imageLayoutVersion":"1.0.0"}'))
    await writeDurably(join(directory, 'index.json'), utf8(`{"schemaVersion":2,"mediaType":"${indexType}","manifests":[]}`))
  }
  return openLayoutRepository(directory)
}

/**
 * What is in a folder. A crash while a layout is made leaves no `index.json`, and folders for blobs without a blob: these are left out. A folder
 * with blobs and without `index.json` is a layout that somebody damaged, and is not made anew.
 */
async function namesIn(directory: string): Promise<readonly string[]> {
  const names = await list(directory)
  if (names.includes('index.json') || !names.includes('blobs')) return names
  const algorithms = await list(join(directory, 'blobs'))
  const blobs = await Promise.all(algorithms.map((name) => list(join(directory, 'blobs', name))))
  return blobs.every((found) => found.length === 0) ? names.filter((name) => name !== 'blobs') : names
}

async function list(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return []
    throw unreadableFile(directory, cause)
  }
}

async function holdsWhole(store: FolderStore, wanted: Pick<Descriptor, 'digest' | 'size'>): Promise<boolean> {
  const blob = await store.blob(wanted.digest)
  if (blob === undefined || blob.size !== wanted.size) return false
  try {
    for await (const _ of verifiedStream(blob.content(), wanted, `${store.name}@${wanted.digest}`));
    return true
  } catch (error) {
    if (error instanceof CountersignError && error.code === 'content_altered') return false
    throw error
  }
}

/** An entry without a tag replaces none of another tag; one with a tag replaces the entry that had it, and an untagged one of the manifest. */
async function listManifest(store: FolderStore, { mediaType, digest, size, platform }: Descriptor, as: ListedManifest): Promise<void> {
  const { tag, annotations } = as
  const all = { ...annotations, ...(tag === undefined ? {} : { [refNameAnnotation]: tag }) }
  const entry = {
    mediaType,
    digest,
    size,
    ...(platform === undefined ? {} : { platform }),
    ...(Object.keys(all).length === 0 ? {} : { annotations: all }),
  }
  await changeIndex(store, (entries) => {
    const same = entries.findIndex(
      (other) => other['digest'] === digest && (tagOf(other) === tag || (tag === undefined && tagOf(other) !== undefined)),
    )
    if (same !== -1 && (tag === undefined || JSON.stringify(entries[same]) === JSON.stringify(entry))) return entries
    const others = entries.filter((other) => (tagOf(other) === undefined ? other['digest'] !== digest : tagOf(other) !== tag))
    return [...others, entry]
  })
}

async function putBlob(store: FolderStore, bytes: Uint8Array, digest: Digest): Promise<Digest> {
  if (!(await holds(store, digest, bytes.length))) await writeDurably(store.blobPath(digest), bytes)
  return digest
}

/** A file under the right name with other content, left by a crash of another tool, is written anew. */
async function holds(store: FolderStore, digest: Digest, size: number): Promise<boolean> {
  try {
    return (await readBlobWhole(store, digest, size)) !== undefined
  } catch (error) {
    if (error instanceof CountersignError && (error.code === 'content_altered' || error.code === 'limit_exceeded')) return false
    throw error
  }
}

/** 1. The manifest becomes a blob: a crash after it leaves a blob that nothing lists. 2. index.json names it. */
async function putManifest(
  store: FolderStore,
  reference: ManifestReference,
  bytes: Uint8Array,
  mediaType: string,
  condition?: WriteCondition,
): Promise<WriteResult> {
  const digest = digestToWrite(reference, bytes)
  const subjectListed = hasSubject(bytes)
  const tag = 'tag' in reference ? reference.tag : undefined
  const before = await store.blob(digest)
  await putBlob(store, bytes, digest)
  const entry = { mediaType, digest, size: bytes.length }
  const written = await changeIndex(store, (entries) => {
    const present = tag === undefined ? (before === undefined ? undefined : digest) : digestOfTag(entries, tag)
    if (condition?.kind === 'if_none_match' && present !== undefined) return undefined
    if (condition?.kind === 'if_match' && present !== condition.etag) return undefined
    if (tag !== undefined) {
      return [...entries.filter((other) => tagOf(other) !== tag), { ...entry, annotations: { [refNameAnnotation]: tag } }]
    }
    // Untagged manifests are listed when they refer to a subject: others are children of an index that is listed itself.
    return subjectListed && !entries.some((other) => other['digest'] === digest) ? [...entries, entry] : entries
  })
  return written ? { kind: 'written', digest, subjectListed } : { kind: 'precondition_failed' }
}

async function deleteManifest(store: FolderStore, reference: ManifestReference): Promise<void> {
  await changeIndex(store, (entries) =>
    entries.filter((entry) => ('tag' in reference ? tagOf(entry) !== reference.tag : entry['digest'] !== reference.digest)),
  )
  // Looked up first: the lookup refuses a folder that is a link to another place.
  if ('digest' in reference && (await store.blob(reference.digest)) !== undefined)
    await rm(store.blobPath(reference.digest), { force: true })
}

type Entry = Readonly<Record<string, unknown>>

/**
 * Replaces the entries of index.json under the lock; every other field stays. False when `change` gives `undefined`. The file is
 * read again right before it is replaced, so that even a writer that ignores the lock is noticed.
 */
async function changeIndex(store: FolderStore, change: (entries: readonly Entry[]) => readonly Entry[] | undefined): Promise<boolean> {
  const path = join(store.root, 'index.json')
  for (;;) {
    const outcome = await withLock(`${path}.lock`, async (stillHeld) => {
      const bytes = await store.index()
      readLayoutIndex(bytes, store.name)
      const document = parseJson(bytes) as JsonObject
      const entries = (document['manifests'] ?? []) as readonly Entry[]
      const next = change(entries)
      if (next === undefined) return 'refused'
      if (next.length === entries.length && next.every((entry, at) => entry === entries[at])) return 'done'
      if (!Buffer.from(await store.index()).equals(bytes) || !(await stillHeld())) return 'again'
      await writeDurably(path, utf8(JSON.stringify({ ...document, manifests: next })))
      return 'done'
    })
    if (outcome !== 'again') return outcome === 'done'
  }
}

function tagOf(entry: Entry): string | undefined {
  const annotations = (entry['annotations'] ?? {}) as Readonly<Record<string, string>>
  return annotations[refNameAnnotation]
}

function digestOfTag(entries: readonly Entry[], tag: string): string | undefined {
  return entries.find((entry) => tagOf(entry) === tag)?.['digest'] as string | undefined
}

function hasSubject(bytes: Uint8Array): boolean {
  const { subject } = (parseJson(bytes) ?? {}) as { readonly subject?: unknown }
  return typeof subject === 'object' && subject !== null
}
