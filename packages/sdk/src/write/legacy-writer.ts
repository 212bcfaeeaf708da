/** Writes cosign's legacy layout: one manifest under `.sig` or `.att`, one layer for each signature. */
import type { Digest } from '@countersign/core/digest'
import { legacyTag, mediaTypes } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import type { Repository } from '../registry/repository.ts'
import { layerKey } from '../discover/layer-key.ts'
import { writerTag } from '../discover/writer-tag.ts'
import { claimOwnTag } from './conditions.ts'
import { type Document, legacyConfig, legacyManifest } from './document.ts'
import { patiently } from './patience.ts'
import { mergeContribution, type SharedDocument, type WriteOptions } from './merge.ts'
import { readContributed, readShared } from './stored-document.ts'

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
  const shared = sharedManifest(repository, subject, kind, options.drop)
  return mergeContribution(repository, subject, { manifest: own.manifest, content, claim: own.claim }, shared, options)
}

/** The manifest under `.sig` or `.att` as the document that writers share. */
export function sharedManifest(
  repository: Repository,
  subject: Digest,
  kind: LegacyKind,
  drop: LegacyOptions['drop'],
): SharedDocument<Descriptor> {
  const tag = legacyTag(subject, kind)
  return {
    kind,
    tag,
    entries: (stored) => byKey(readShared(stored, tag, 'manifest').layers),
    contributed: (stored) =>
      byKey((readContributed(stored)?.layers ?? []).filter((layer) => layer.mediaType === legacyLayerMediaType[kind])),
    ...(drop === undefined ? {} : { dropped: drop }),
    build: async (entries) => {
      const layers = [...entries.values()]
      const config = legacyConfig(layers)
      await repository.putBlob(config)
      return legacyManifest(config, layers)
    },
  }
}

/** Layers by what merging knows them by. */
export function byKey(layers: readonly Descriptor[]): ReadonlyMap<Digest, Descriptor> {
  return new Map(layers.map((layer) => [layerKey(layer), layer]))
}

/** Media type of a layer in each legacy manifest. */
export const legacyLayerMediaType: Readonly<Record<LegacyKind, string>> = {
  sig: mediaTypes.simpleSigning,
  att: mediaTypes.envelope,
}
