/** Reads every place where signatures of one image may be, and keeps apart what is not there, what is broken, and what could not be read. */
import type { SignedEntity } from '@countersign/core/bundle/model'
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { fallbackTag, legacyTag } from '@countersign/core/oci/layouts'
import type { Descriptor, ImageIndex, ImageManifest } from '@countersign/core/oci/model'
import { gate } from '../discover/bounded.ts'
import { isEntityMediaType, parseEntity, parseStoredManifest } from '../discover/entity.ts'
import { defaultDiscoveryLimits } from '../discover/limits.ts'
import { failureIn, leavesOpen, type Reading, startReading } from '../discover/reading.ts'
import { writerCandidates } from '../discover/sources.ts'
import { parseWriterTag, type WriterTag } from '../discover/writer-tag.ts'
import type { ManifestReference, ReferrersAnswer, RepositoryReader, StoredManifest } from '../registry/repository.ts'
import { type IndexReading, readIndexDocument } from './index-document.ts'

/** A layer that holds, or claims to hold, a signature. */
export type ExaminedLayer = { readonly descriptor: Descriptor } & (
  | { readonly kind: 'entity'; readonly entity: SignedEntity; readonly bytes: Uint8Array }
  /** No signature by its media type; not read. */
  | { readonly kind: 'other' }
  | { readonly kind: 'missing' | 'altered' | 'malformed'; readonly detail: string }
)

/** A manifest that something names. */
export type ExaminedManifest =
  | { readonly kind: 'missing' }
  | { readonly kind: 'altered' | 'malformed'; readonly detail: string }
  | {
      readonly kind: 'read'
      readonly stored: StoredManifest
      readonly manifest: ImageManifest | ImageIndex
      readonly layers: readonly ExaminedLayer[]
    }

/** A writer's own tag and what is under it. */
export type ReadWriterTag = WriterTag & { readonly content: ExaminedManifest }

/** Everything that was read. */
export type Gathered = {
  readonly subject: Digest
  readonly subjectExists: boolean
  /** Absent when the referrers API did not answer. */
  readonly api?: ReferrersAnswer
  readonly index: IndexReading & { readonly stored?: StoredManifest }
  readonly sig: ExaminedManifest
  readonly att: ExaminedManifest
  readonly writers: readonly ReadWriterTag[]
  /** Referrers that the API, the index or a writer tag names, by digest. */
  readonly referrers: ReadonlyMap<Digest, ExaminedManifest>
  /** Places that could not be read. */
  readonly unreadable: readonly CountersignError[]
}

/** Reads all of it. `subjectExists` is known to the caller, who may keep signatures in another repository than images. */
export async function gatherSignatures(repository: RepositoryReader, subject: Digest, subjectExists: boolean): Promise<Gathered> {
  const through = gate(defaultDiscoveryLimits.parallelism)
  const gated = { ...repository, manifest: (reference: ManifestReference) => through(() => repository.manifest(reference)) }
  const reading = startReading(gated, defaultDiscoveryLimits)
  const unreadable: CountersignError[] = []
  const note = (failure: CountersignError): void => void unreadable.push(failure)
  const tryRead = async <T>(read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read()
    } catch (cause) {
      note(failureIn(cause))
      return undefined
    }
  }
  const [api, stored, sig, att, tags] = await Promise.all([
    tryRead(() => repository.referrers(subject)),
    tryRead(() => repository.manifest({ tag: fallbackTag(subject) })),
    readManifest(reading, { tag: legacyTag(subject, 'sig') }, note),
    readManifest(reading, { tag: legacyTag(subject, 'att') }, note),
    tryRead(() => writerCandidates(reading, subject, note)),
  ])
  const index = stored === undefined ? { entries: [] } : { stored, ...readIndexDocument(stored) }
  const read = await Promise.all(
    (tags ?? []).map(async ({ reference }): Promise<ReadWriterTag | undefined> => {
      const tag = 'tag' in reference ? parseWriterTag(subject, reference.tag) : undefined
      const content = tag === undefined ? undefined : await readManifest(reading, reference, note)
      return tag === undefined || content === undefined ? undefined : { ...tag, content }
    }),
  )
  const writers = read.filter((writer) => writer !== undefined)
  const listed = [...(api?.kind === 'listed' ? api.manifests : []), ...index.entries]
  const referrers = new Map<Digest, ExaminedManifest>()
  for (const { kind, content } of writers) if (kind === 'bundle' && content.kind === 'read') referrers.set(content.stored.digest, content)
  const digests = [...new Set(listed.map(({ digest }) => digest))].filter((digest) => !referrers.has(digest))
  const { maxReferrers } = defaultDiscoveryLimits
  if (digests.length > maxReferrers) {
    note(new CountersignError('limit_exceeded', `${repository.name} lists ${digests.length} referrers, more than ${maxReferrers}`))
  }
  await Promise.all(
    digests.slice(0, maxReferrers).map(async (digest) => {
      const content = await readManifest(reading, { digest }, note)
      if (content !== undefined) referrers.set(digest, content)
    }),
  )
  const missing = { kind: 'missing' } as const
  return {
    subject,
    subjectExists,
    ...(api === undefined ? {} : { api }),
    index,
    sig: sig ?? missing,
    att: att ?? missing,
    writers,
    referrers,
    unreadable,
  }
}

/** `undefined` when it could not be read, which `note` was told. */
async function readManifest(
  reading: Reading,
  reference: ManifestReference,
  note: (failure: CountersignError) => void,
): Promise<ExaminedManifest | undefined> {
  try {
    const stored = await reading.repository.manifest(reference)
    if (stored === undefined) return { kind: 'missing' }
    const manifest = parseStoredManifest(stored)
    if (manifest === undefined) return { kind: 'malformed', detail: `it is a ${stored.mediaType.slice(0, 120)}` }
    const layers = manifest.kind === 'manifest' ? await readLayers(reading, manifest.layers, note) : []
    return layers === undefined ? undefined : { kind: 'read', stored, manifest, layers }
  } catch (cause) {
    const failure = failureIn(cause)
    if (!leavesOpen(failure)) return { kind: failure.code === 'content_altered' ? 'altered' : 'malformed', detail: failure.message }
    note(failure)
    return undefined
  }
}

async function readLayers(
  reading: Reading,
  layers: readonly Descriptor[],
  note: (failure: CountersignError) => void,
): Promise<readonly ExaminedLayer[] | undefined> {
  const tooMany = reading.countLayers(layers.filter(({ mediaType }) => isEntityMediaType(mediaType)).length)
  if (tooMany !== undefined) {
    note(tooMany)
    return undefined
  }
  const read = await Promise.all(layers.map((layer) => readLayer(reading, layer, note)))
  return read.every((layer) => layer !== undefined) ? read : undefined
}

async function readLayer(
  reading: Reading,
  descriptor: Descriptor,
  note: (failure: CountersignError) => void,
): Promise<ExaminedLayer | undefined> {
  if (!isEntityMediaType(descriptor.mediaType)) return { kind: 'other', descriptor }
  try {
    const bytes = await reading.blob(descriptor)
    return { kind: 'entity', descriptor, bytes, entity: parseEntity(descriptor.mediaType, bytes, descriptor.annotations ?? {}) }
  } catch (cause) {
    const failure = failureIn(cause)
    const detail = failure.message
    // How a registry and a layout say that a blob which a manifest names is not there.
    if (failure.code === 'registry_response_malformed' || failure.code === 'layout_malformed')
      return { kind: 'missing', descriptor, detail }
    if (!leavesOpen(failure)) return { kind: failure.code === 'content_altered' ? 'altered' : 'malformed', descriptor, detail }
    note(failure)
    return undefined
  }
}
