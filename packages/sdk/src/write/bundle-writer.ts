/** Writes a bundle beside its subject: a referrer, and where the registry does not list referrers, an entry of the fallback index. */
import { CountersignError, outcomeOf } from '@countersign/core/failure'
import { fallbackTag, referrerDescriptor } from '@countersign/core/oci/layouts'
import type { Descriptor, ImageIndex, ImageManifest } from '@countersign/core/oci/model'
import type { Digest } from '@countersign/core/digest'
import type { ReferrersAnswer, Repository } from '../registry/repository.ts'
import { writerTag } from '../discover/writer-tag.ts'
import { claimOwnTag } from './conditions.ts'
import { bundleManifest, type BundleManifestParts, type Document, emptyConfig, fallbackIndex } from './document.ts'
import { patiently } from './patience.ts'
import { mergeContribution, type SharedDocument, type WriteOptions } from './merge.ts'
import { readContributed, readShared } from './stored-document.ts'

/** Where a bundle was written. */
export type WrittenBundle = {
  readonly manifest: Digest
  /** The fallback tag, where it had to be written. */ readonly fallbackTag?: string
}

/** Manifests that the caller has read already, by digest; wrong descriptors of them in a fallback index are corrected. */
export type KnownManifests = ReadonlyMap<
  Digest,
  { readonly manifest: ImageManifest | ImageIndex; readonly mediaType: string; readonly size: number }
>

/** What a caller knows of the registry and its content. */
export type BundleOptions = WriteOptions & {
  readonly known?: KnownManifests
  /** What the referrers API has just answered; absent when that is not known. */
  readonly referrers?: ReferrersAnswer['kind']
  /** The empty config, where the caller has begun to upload it. */
  readonly config?: Promise<unknown>
}

/** Begins to upload what every bundle manifest has as its config, for a caller who has time before there is a bundle. */
export function beginConfig(repository: Repository): Promise<unknown> {
  const config = repository.putBlob(emptyConfig)
  // Who never comes to write never awaits it; who does, meets its failure then.
  config.catch(() => undefined)
  return config
}

/**
 * Stores a bundle and makes it discoverable.
 *
 * 1. Blobs, then the manifest by digest. A crash leaves unreferenced content.
 * 2. A registry whose referrers answer shows it is done: the manifest is the listing.
 * 3. Otherwise the fallback index, with the steps of `merge.ts`; at once where the registry is known to have no referrers API.
 *
 * Throws `manifest_malformed` when the fallback tag holds something that must not be overwritten, `write_not_confirmed` when it never stays.
 */
export async function writeBundle(repository: Repository, parts: BundleManifestParts, options: BundleOptions = {}): Promise<WrittenBundle> {
  const manifest = bundleManifest(parts)
  const subject = parts.subject.digest
  const putBlobs = (config: Promise<unknown> = repository.putBlob(emptyConfig)): Promise<unknown> =>
    Promise.all([config, repository.putBlob(parts.bundle, { isNew: true })])
  await patiently((attempt) => putBlobs(attempt === 1 ? options.config : undefined), options.pause)
  if (options.referrers !== 'unsupported') {
    await patiently(async (attempt) => {
      if (attempt > 1) await putBlobs()
      await repository.putManifest({ digest: manifest.digest }, manifest.bytes, manifest.mediaType)
    }, options.pause)
    const [listed] = await Promise.all([isListed(repository, subject, manifest.digest), options.whenStored?.(manifest.digest)])
    if (listed) return { manifest: manifest.digest }
    return { manifest: manifest.digest, fallbackTag: await indexBundle(repository, subject, manifest, options) }
  }
  const claim = patiently(async (attempt) => {
    if (attempt > 1) await putBlobs()
    return claimOwnTag(repository, writerTag(subject, 'bundle', manifest.digest), manifest)
  }, options.pause)
  const [fallbackTag] = await Promise.all([
    indexClaimed(repository, subject, manifest, claim, options),
    claim.then(() => options.whenStored?.(manifest.digest)),
  ])
  return { manifest: manifest.digest, fallbackTag }
}

/** Puts a stored bundle manifest into the fallback index; also completes what a writer left half-way. Returns the tag. */
export async function indexBundle(
  repository: Repository,
  subject: Digest,
  manifest: Document,
  options: BundleOptions = {},
): Promise<string> {
  const tag = writerTag(subject, 'bundle', manifest.digest)
  return indexClaimed(
    repository,
    subject,
    manifest,
    patiently(() => claimOwnTag(repository, tag, manifest), options.pause),
    options,
  )
}

async function indexClaimed(
  repository: Repository,
  subject: Digest,
  manifest: Document,
  claim: Promise<boolean>,
  options: BundleOptions,
): Promise<string> {
  const shared = sharedIndex(subject, options.known ?? new Map())
  await mergeContribution(repository, subject, { manifest, content: manifest.digest, claim }, shared, options)
  return shared.tag
}

/** Whether a reader finds it in the list. What the answer to the write says (`OCI-Subject`) is not asked: some registries say nothing, some too much. */
async function isListed(repository: Repository, subject: Digest, manifest: Digest): Promise<boolean> {
  try {
    const answer = await repository.referrers(subject)
    return answer.kind === 'listed' && answer.manifests.some((descriptor) => descriptor.digest === manifest)
  } catch (cause) {
    // Not knowing is answered as "no": the fallback index does no harm beside a list, and readers read both.
    if (cause instanceof CountersignError && outcomeOf(cause.code) === 'unknown') return false
    throw cause
  }
}

/** The fallback index as the document that writers share. */
export function sharedIndex(subject: Digest, known: KnownManifests): SharedDocument<Descriptor> {
  const tag = fallbackTag(subject)
  return {
    kind: 'bundle',
    tag,
    entries: (stored) => new Map(readShared(stored, tag, 'index').manifests.map((entry) => [entry.digest, entry])),
    contributed: (stored) => {
      const manifest = readContributed(stored)
      if (manifest?.subject?.digest !== subject) return new Map()
      return new Map([[stored.digest, referrerDescriptor({ ...stored, size: stored.bytes.length }, manifest)]])
    },
    build: async (entries) => fallbackIndex([...entries.values()].map((entry) => corrected(entry, known))),
  }
}

/** cosign 3.1.1 writes the config's media type as artifact type and no annotations; entries that we know we put right, others stay. */
function corrected(entry: Descriptor, known: KnownManifests): Descriptor {
  const read = known.get(entry.digest)
  return read === undefined ? entry : referrerDescriptor({ ...read, digest: entry.digest }, read.manifest)
}
