/** Writes cosign's legacy layout: one manifest under `.sig` or `.att`, one layer for each signature. */
import { CountersignError } from '@countersign/core/failure'
import type { Digest } from '@countersign/core/digest'
import { legacyTag, mediaTypes } from '@countersign/core/oci/layouts'
import type { Descriptor, ImageIndex, ImageManifest } from '@countersign/core/oci/model'
import type { Repository, StoredManifest } from '../registry/repository.ts'
import { parseStoredManifest } from '../discover/entity.ts'
import { layerKey } from '../discover/layer-key.ts'
import { writerTag } from '../discover/writer-tag.ts'
import { claimOwnTag } from './conditions.ts'
import { type Document, legacyConfig, legacyManifest } from './document.ts'
import { patiently } from './patience.ts'
import { mergeContribution, type SharedDocument, type WriteOptions } from './merge.ts'

/** `.sig` holds simple-signing payloads, `.att` DSSE envelopes. */
export type LegacyKind = 'sig' | 'att'

/** One signature to add. */
export type LegacyLayer = {
  readonly bytes: Uint8Array
  readonly descriptor: Descriptor
  /** RFC 3339, seconds. */ readonly created: string
}

/** What may be dropped on the way: `attest --replace` drops earlier attestations of the same type. */
export type LegacyOptions = WriteOptions & { readonly drop?: (layer: Descriptor) => boolean }

/**
 * Adds a layer to the manifest under `.sig` or `.att` and returns that manifest's digest once it has been read back with the layer in it.
 *
 * 1. Payload and config blobs. A crash leaves unreferenced content.
 * 2. to 4. The steps of `merge.ts`: the writer's own manifest holds this one layer, the manifest under `.sig` or `.att` is the shared document.
 */
export async function writeLegacyLayer(
  repository: Repository,
  subject: Digest,
  kind: LegacyKind,
  layer: LegacyLayer,
  options: LegacyOptions = {},
): Promise<Digest> {
  const config = legacyConfig([layer.descriptor])
  const manifest = legacyManifest(config, [layer.descriptor], layer.created)
  const putBlobs = (): Promise<unknown> => Promise.all([repository.putBlob(layer.bytes), repository.putBlob(config)])
  await patiently(putBlobs, options.pause)
  const claim = patiently(async (attempt) => {
    if (attempt > 1) await putBlobs()
    return claimOwnTag(repository, writerTag(subject, kind, layerKey(layer.descriptor)), manifest)
  }, options.pause)
  const [shared] = await Promise.all([
    mergeClaimed(repository, subject, kind, { manifest, layer: layer.descriptor, claim }, options),
    claim.then(() => options.whenStored?.(manifest.digest)),
  ])
  return shared
}

/** Merges a stored one-layer manifest; also completes what a writer left half-way. */
export async function mergeLegacyLayer(
  repository: Repository,
  subject: Digest,
  kind: LegacyKind,
  own: { readonly manifest: Document; readonly layer: Descriptor },
  options: LegacyOptions = {},
): Promise<Digest> {
  const tag = writerTag(subject, kind, layerKey(own.layer))
  const claim = patiently(() => claimOwnTag(repository, tag, own.manifest), options.pause)
  return mergeClaimed(repository, subject, kind, { ...own, claim }, options)
}

function mergeClaimed(
  repository: Repository,
  subject: Digest,
  kind: LegacyKind,
  own: { readonly manifest: Document; readonly layer: Descriptor; readonly claim: Promise<boolean> },
  options: LegacyOptions,
): Promise<Digest> {
  const content = layerKey(own.layer)
  const shared = sharedManifest(repository, subject, kind, content, options.drop)
  return mergeContribution(repository, subject, { manifest: own.manifest, content, claim: own.claim }, shared, options)
}

function sharedManifest(
  repository: Repository,
  subject: Digest,
  kind: LegacyKind,
  own: Digest,
  drop: LegacyOptions['drop'],
): SharedDocument<Descriptor> {
  const tag = legacyTag(subject, kind)
  return {
    kind,
    tag,
    entries: (stored) => (stored === undefined ? new Map() : layersOf(stored, tag)),
    contributed: (stored) => contributedLayers(stored, kind),
    ...(drop === undefined ? {} : { dropped: (key: Digest, layer: Descriptor) => key !== own && drop(layer) }),
    build: async (entries) => {
      const layers = [...entries.values()]
      const config = legacyConfig(layers)
      await repository.putBlob(config)
      return legacyManifest(config, layers)
    },
  }
}

function layersOf(stored: StoredManifest, tag: string): Map<Digest, Descriptor> {
  let manifest: ImageManifest | ImageIndex | undefined
  try {
    manifest = parseStoredManifest(stored)
  } catch (cause) {
    throw occupied(tag, 'something that does not parse', cause)
  }
  if (manifest?.kind !== 'manifest') throw occupied(tag, `a ${stored.mediaType}`)
  return new Map(manifest.layers.map((layer) => [layerKey(layer), layer]))
}

function contributedLayers(stored: StoredManifest, kind: LegacyKind): Map<Digest, Descriptor> {
  const mediaType = legacyLayerMediaType[kind]
  try {
    const manifest = parseStoredManifest(stored)
    const layers = manifest?.kind === 'manifest' ? manifest.layers.filter((layer) => layer.mediaType === mediaType) : []
    return new Map(layers.map((layer) => [layerKey(layer), layer]))
  } catch (cause) {
    // Someone else's tag with a name like ours: not ours to merge, and discovery reports it as malformed.
    if (cause instanceof CountersignError) return new Map()
    throw cause
  }
}

/** Media type of a layer in each legacy manifest. */
export const legacyLayerMediaType: Readonly<Record<LegacyKind, string>> = {
  sig: mediaTypes.simpleSigning,
  att: mediaTypes.envelope,
}

function occupied(tag: string, found: string, cause?: unknown): CountersignError {
  return new CountersignError('manifest_malformed', `the tag ${tag} holds ${found}, not a manifest of signatures; it was left as it is`, {
    expected: 'an OCI image manifest',
    found,
    hint: `Look at the tag ${tag}, delete it or move it to another name, and sign again.`,
    ...(cause === undefined ? {} : { cause }),
  })
}
