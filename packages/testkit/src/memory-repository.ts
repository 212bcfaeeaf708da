/** A repository in memory that can be as poor or as broken as registries are: for tests of what stands on the `Repository` port. */
import { createHash } from 'node:crypto'
import { type Digest, parseDigest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ManifestReference, Repository, StoredManifest, WriteCondition, WriteResult } from '@countersign/sdk/registry/repository'

/** What the store in memory can do. */
export type MemoryRepositoryOptions = {
  readonly name?: string
  /** Whether it keeps the referrers list itself; default true. */
  readonly referrersApi?: boolean
  /** Whether it honours `If-Match` and `If-None-Match`; default false, as nearly all registries. */
  readonly conditions?: boolean
  /** Waits this long before each request takes effect, milliseconds; also a function, to shake the order of concurrent writers. */
  readonly latencyMs?: number | (() => number)
}

/** The repository and what a test wants to see of it. */
export type MemoryRepository = Repository & {
  /** How many requests of each kind were made, by method name. */
  readonly requests: Map<string, number>
  readonly manifests: Map<Digest, { bytes: Uint8Array; mediaType: string }>
  readonly blobs: Map<Digest, Uint8Array>
  readonly tagged: Map<string, Digest>
}

/** SHA-256 of bytes as a digest. */
export function sha256Digest(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`) as Digest
}

type Store = Pick<MemoryRepository, 'requests' | 'manifests' | 'blobs' | 'tagged'> & { readonly options: MemoryRepositoryOptions }

async function arrive(store: Store, method: string): Promise<void> {
  store.requests.set(method, (store.requests.get(method) ?? 0) + 1)
  const wait = store.options.latencyMs ?? 0
  const milliseconds = typeof wait === 'function' ? wait() : wait
  await new Promise((resolve) => (milliseconds > 0 ? setTimeout(resolve, milliseconds) : setImmediate(resolve)))
}

function digestOf(store: Store, reference: ManifestReference): Digest | undefined {
  return 'tag' in reference ? store.tagged.get(reference.tag) : reference.digest
}

function read(store: Store, reference: ManifestReference): StoredManifest | undefined {
  const digest = digestOf(store, reference)
  const found = digest === undefined ? undefined : store.manifests.get(digest)
  if (digest === undefined || found === undefined) return undefined
  return { bytes: found.bytes, mediaType: found.mediaType, digest, etag: `"${digest}"` }
}

type Subjected = {
  subject?: { digest?: string }
  artifactType?: string
  annotations?: Record<string, string>
  config?: { mediaType?: string }
}

function referrersOf(store: Store, subject: Digest): Descriptor[] {
  const found: Descriptor[] = []
  for (const [digest, { bytes, mediaType }] of store.manifests) {
    const manifest = JSON.parse(new TextDecoder().decode(bytes)) as Subjected
    if (manifest.subject?.digest !== subject) continue
    const artifactType = manifest.artifactType ?? manifest.config?.mediaType
    found.push({
      mediaType,
      digest,
      size: bytes.length,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations }),
    })
  }
  return found
}

function conditionHolds(store: Store, reference: ManifestReference, condition: WriteCondition | undefined): boolean {
  if (condition === undefined || store.options.conditions !== true) return true
  const current = read(store, reference)
  return condition.kind === 'if_none_match' ? current === undefined : current?.etag === condition.etag
}

async function putManifest(
  store: Store,
  reference: ManifestReference,
  bytes: Uint8Array,
  mediaType: string,
  condition?: WriteCondition,
): Promise<WriteResult> {
  await arrive(store, 'putManifest')
  if (!conditionHolds(store, reference, condition)) return { kind: 'precondition_failed' }
  const digest = sha256Digest(bytes)
  if ('digest' in reference && reference.digest !== digest) {
    throw new CountersignError('write_rejected', 'the manifest does not have the digest that it was put under')
  }
  const content = JSON.parse(new TextDecoder().decode(bytes)) as Subjected & { layers?: { digest: Digest }[]; config?: { digest?: Digest } }
  for (const part of [...(content.layers ?? []), ...(content.config === undefined ? [] : [content.config])]) {
    if (part.digest !== undefined && !store.blobs.has(part.digest)) {
      throw new CountersignError('write_rejected', `MANIFEST_BLOB_UNKNOWN: ${part.digest}`)
    }
  }
  store.manifests.set(digest, { bytes, mediaType })
  if ('tag' in reference) store.tagged.set(reference.tag, digest)
  return { kind: 'written', digest, subjectListed: store.options.referrersApi !== false && content.subject !== undefined }
}

async function* streamBlob(store: Store, digest: Digest): AsyncIterable<Uint8Array> {
  await arrive(store, 'blob')
  const bytes = store.blobs.get(digest)
  if (bytes === undefined) throw new CountersignError('registry_failed', `blob ${digest} is not there`)
  if (sha256Digest(bytes) !== digest) throw new CountersignError('content_altered', `blob ${digest} has other content`)
  yield bytes
}

/** Makes an empty repository; its maps may be filled or damaged by the test. */
export function memoryRepository(options: MemoryRepositoryOptions = {}): MemoryRepository {
  const store: Store = { options, requests: new Map(), manifests: new Map(), blobs: new Map(), tagged: new Map() }
  return {
    name: options.name ?? 'memory.example/repo',
    requests: store.requests,
    manifests: store.manifests,
    blobs: store.blobs,
    tagged: store.tagged,
    resolve: async (reference) => {
      await arrive(store, 'resolve')
      const found = read(store, reference)
      return found && { mediaType: found.mediaType, digest: found.digest, size: found.bytes.length }
    },
    manifest: async (reference) => {
      await arrive(store, 'manifest')
      return read(store, reference)
    },
    blob: (descriptor) => streamBlob(store, descriptor.digest),
    referrers: async (subject) => {
      await arrive(store, 'referrers')
      return options.referrersApi === false ? { kind: 'unsupported' } : { kind: 'listed', manifests: referrersOf(store, subject) }
    },
    tags: async function* () {
      await arrive(store, 'tags')
      yield* [...store.tagged.keys()].toSorted()
    },
    putBlob: async (bytes) => {
      await arrive(store, 'putBlob')
      const digest = sha256Digest(bytes)
      store.blobs.set(digest, bytes)
      return digest
    },
    putManifest: (...args) => putManifest(store, ...args),
    deleteManifest: async (reference) => {
      await arrive(store, 'deleteManifest')
      if ('tag' in reference) store.tagged.delete(reference.tag)
      else store.manifests.delete(reference.digest)
    },
  }
}
