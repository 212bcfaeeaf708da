/**
 * Writes an image layout into a new tar file. Entries go out as they come, blobs first and `index.json` last, under a temporary name that
 * becomes the file's only when all of it is on disk: a crash leaves a temporary file, never half an archive.
 *
 * The same content in the same order gives the same bytes: no times, owners or names of this machine are in it.
 */
import { randomUUID } from 'node:crypto'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { referrerDescriptor } from '@countersign/core/oci/layouts'
import { parseManifest } from '@countersign/core/oci/manifest'
import type { Descriptor } from '@countersign/core/oci/model'
import type { Pack } from 'tar-stream'
import { unwritableFile } from '../file-failure.ts'
import type { Carrier, ListedManifest, ManifestReference, Repository, StoredManifest, WriteResult } from '../registry/repository.ts'
import { digestToWrite, sha256Digest, verifiedStream } from '../registry/verified-stream.ts'
import { chunks, type ArchiveEntries, entryWriter } from './archive-entries.ts'
import { indexType, refNameAnnotation } from './layout-index.ts'
import { syncFolder } from '../durable-file.ts'

/** An archive that is being written. What went in can be read from it as far as it is manifests. */
export type ArchiveWriter = {
  readonly repository: Repository
  /** Adds a file beside the layout. Its path is the caller's own and relative. */
  readonly addFile: (path: string, bytes: Uint8Array) => Promise<void>
  /** Adds `index.json` and what `last` makes of its bytes, syncs and renames. */
  readonly finish: (last?: (index: Uint8Array) => Promise<void>) => Promise<void>
  /** Gives up: nothing is left. After `finish` it does nothing. */
  readonly abandon: () => Promise<void>
}

/** Begins an archive. Nothing stands under `file` before `finish`. Throws `io_failed`. */
export async function createArchive(file: string): Promise<ArchiveWriter> {
  const { pack } = await import('tar-stream')
  const temporary = `${file}.${randomUUID()}.tmp`
  const target = await open(temporary, 'wx', 0o644).catch((cause: unknown) => {
    throw unwritableFile(file, cause)
  })
  const tar = pack()
  const written = drain(tar, target)
  // Who writes the next entry, or finishes, meets it.
  written.catch((cause: unknown) => tar.destroy(cause as Error))
  const entries = entryWriter(tar, file)
  let pending = true
  const abandon = async (): Promise<void> => {
    if (!pending) return
    pending = false
    tar.destroy()
    await written.catch(() => undefined)
    await target.close()
    await rm(temporary, { force: true })
  }
  await entries.bytes('oci-layout', utf8('{"imageLayoutVersion":"1.0.0"}'))
  const { repository, index } = archiveRepository(`oci-archive:${file}`, entries)
  return {
    repository,
    addFile: entries.bytes,
    abandon,
    finish: async (last) => {
      const bytes = index()
      await last?.(bytes)
      await entries.bytes('index.json', bytes)
      tar.finalize()
      try {
        await written
        await target.sync()
        await target.close()
        await rename(temporary, file)
        await syncFolder(dirname(file))
        pending = false
      } catch (cause) {
        throw unwritableFile(file, cause)
      }
    },
  }
}

async function drain(tar: Pack, target: FileHandle): Promise<void> {
  for await (const part of tar as AsyncIterable<Uint8Array>) await target.writeFile(part)
}

type Entry = Descriptor & { readonly tag?: string }

function archiveRepository(name: string, entries: ArchiveEntries): { readonly repository: Repository; readonly index: () => Uint8Array } {
  const blobs = new Map<Digest, Promise<void>>()
  const manifests = new Map<Digest, StoredManifest>()
  const listed: Entry[] = []
  const tagged = (tag: string): Entry | undefined => listed.find((entry) => entry.tag === tag)
  const find = (reference: ManifestReference): StoredManifest | undefined => {
    const digest = 'tag' in reference ? tagged(reference.tag)?.digest : reference.digest
    const found = digest === undefined ? undefined : manifests.get(digest)
    return found === undefined || !('tag' in reference) ? found : { ...found, etag: found.digest }
  }
  const putStream: Carrier['putStream'] = async (wanted, openSource) => {
    const known =
      blobs.get(wanted.digest) ??
      entries.stream(pathOf(wanted.digest), wanted.size, verifiedStream(openSource(), wanted, `the blob ${wanted.digest}`))
    blobs.set(wanted.digest, known)
    await known
  }
  const putBlob = async (bytes: Uint8Array): Promise<Digest> => {
    const digest = sha256Digest(bytes)
    await putStream({ digest, size: bytes.length }, () => chunks(bytes))
    return digest
  }
  const list = async ({ mediaType, digest, size, platform }: Descriptor, { tag, annotations }: ListedManifest): Promise<void> => {
    const at = listed.findIndex((entry) => (tag === undefined ? entry.digest === digest : entry.tag === tag))
    const entry = {
      mediaType,
      digest,
      size,
      ...optional('platform', platform),
      ...optional('annotations', annotations),
      ...optional('tag', tag),
    }
    if (at === -1) listed.push(entry)
    else if (tag !== undefined) listed[at] = entry
  }
  const putManifest: Repository['putManifest'] = async (reference, bytes, mediaType): Promise<WriteResult> => {
    const digest = digestToWrite(reference, bytes)
    await putStream({ digest, size: bytes.length }, () => chunks(bytes))
    manifests.set(digest, { bytes, mediaType, digest })
    const subjectListed = subjectOf(bytes, mediaType) !== undefined
    const descriptor = { mediaType, digest, size: bytes.length }
    if ('tag' in reference) await list(descriptor, { tag: reference.tag })
    else if (subjectListed) await list(descriptor, {})
    return { kind: 'written', digest, subjectListed }
  }
  const repository: Repository = {
    name,
    resolve: async (reference) => describe(find(reference)),
    manifest: async (reference) => find(reference),
    blob: (descriptor) => {
      throw new CountersignError('archive_read_only', `${name} is being written; ${descriptor.digest} cannot be read from it`)
    },
    referrers: async (subject) => ({ kind: 'listed', manifests: referrersIn(manifests, subject) }),
    async *tags() {
      for (const { tag } of listed) if (tag !== undefined) yield tag
    },
    putBlob,
    putManifest,
    deleteManifest: async (reference) => {
      throw new CountersignError('archive_read_only', `${name} is being written; nothing is deleted from it`, {
        found: 'tag' in reference ? reference.tag : reference.digest,
      })
    },
    carrier: { hasBlob: async ({ digest }) => blobs.has(digest), putStream, list },
  }
  return { repository, index: () => indexOf(listed) }
}

function describe(stored: StoredManifest | undefined): Descriptor | undefined {
  return stored === undefined ? undefined : { mediaType: stored.mediaType, digest: stored.digest, size: stored.bytes.length }
}

function indexOf(listed: readonly Entry[]): Uint8Array {
  const manifests = listed.map(({ tag, annotations, ...descriptor }) => {
    const all = { ...annotations, ...(tag === undefined ? {} : { [refNameAnnotation]: tag }) }
    return Object.keys(all).length === 0 ? descriptor : { ...descriptor, annotations: all }
  })
  return utf8(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }))
}

function subjectOf(bytes: Uint8Array, mediaType: string): Digest | undefined {
  return tryParse(bytes, mediaType)?.subject?.digest
}

function referrersIn(manifests: ReadonlyMap<Digest, StoredManifest>, subject: Digest): readonly Descriptor[] {
  return [...manifests.values()].flatMap((stored) => {
    const manifest = tryParse(stored.bytes, stored.mediaType)
    return manifest?.subject?.digest === subject ? [referrerDescriptor({ ...stored, size: stored.bytes.length }, manifest)] : []
  })
}

/** Manifests of other kinds are kept as they are. */
function tryParse(bytes: Uint8Array, mediaType: string): ReturnType<typeof parseManifest> | undefined {
  try {
    return parseManifest(bytes, mediaType)
  } catch (cause) {
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [key in Name]: Value })
}

function pathOf(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`
}
