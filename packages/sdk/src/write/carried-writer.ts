/**
 * Lists what was carried from another repository: referrers in the fallback index, layers in the manifest under `.sig` or `.att`. What is there
 * already stays, and is merged; where nothing is there, manifests keep their bytes.
 *
 * The steps are those of `merge.ts`, for many manifests in one merge. The blobs must be stored.
 */
import type { Digest } from '@countersign/core/digest'
import { legacyTag } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import { gate } from '../discover/bounded.ts'
import { layerKey } from '../discover/layer-key.ts'
import { type WriterTagKind, writerTag } from '../discover/writer-tag.ts'
import type { Repository, StoredManifest } from '../registry/repository.ts'
import { sharedIndex } from './bundle-writer.ts'
import { claimOwnTag } from './conditions.ts'
import type { Document } from './document.ts'
import { byKey, type LegacyKind, sharedManifest } from './legacy-writer.ts'
import { mergeContribution, type MergeOptions, type SharedDocument } from './merge.ts'
import { patiently } from './patience.ts'
import { readContributed, readShared } from './stored-document.ts'

/** A referrer, and how it is listed. */
export type CarriedReferrer = { readonly manifest: Document; readonly descriptor: Descriptor }

/**
 * Puts referrers of one subject into the fallback index and stores them on the way. Returns whether anything had to be written.
 * Throws `manifest_malformed` when the fallback tag holds something else, `write_not_confirmed`.
 */
export async function indexReferrers(
  repository: Repository,
  subject: Digest,
  referrers: readonly CarriedReferrer[],
  options: MergeOptions = {},
): Promise<boolean> {
  const own = new Map(referrers.map(({ descriptor }) => [descriptor.digest, descriptor]))
  const common = sharedIndex(subject, new Map())
  const shared: SharedDocument<Descriptor> = {
    ...common,
    contributed: (stored) => {
      const mine = own.get(stored.digest)
      return mine === undefined ? common.contributed(stored) : new Map([[stored.digest, mine]])
    },
  }
  const contributions = referrers.map(({ manifest }) => ({ manifest, content: manifest.digest }))
  return merge(repository, subject, contributions, shared, options, [...own.keys()])
}

/**
 * Puts the layers of manifests, the first of which stood under `.sig` or `.att`, under that tag. Returns whether anything had to be written.
 * Throws `manifest_malformed` when the tag holds something else, `write_not_confirmed`.
 */
export async function mergeLegacyManifests(
  repository: Repository,
  subject: Digest,
  kind: LegacyKind,
  manifests: readonly StoredManifest[],
  options: MergeOptions = {},
): Promise<boolean> {
  const tag = legacyTag(subject, kind)
  const layersOf = new Map(manifests.map((stored) => [stored.digest, byKey(readContributed(stored)?.layers ?? [])]))
  const common = sharedManifest(repository, subject, kind, undefined)
  const [first] = manifests
  const keys = [...new Set([...layersOf.values()].flatMap((layers) => [...layers.keys()]))]
  const shared: SharedDocument<Descriptor> = {
    ...common,
    contributed: (stored) => layersOf.get(stored.digest) ?? common.contributed(stored),
    build: async (entries) => {
      const exact = first === undefined ? undefined : layersOf.get(first.digest)
      const same = first !== undefined && exact?.size === entries.size && [...entries.keys()].every((key) => exact.has(key))
      return same ? first : common.build(entries)
    },
  }
  const contributions = manifests.map((stored) => {
    const layers = readShared(stored, tag, 'manifest').layers
    const [layer] = layers
    return { manifest: stored, content: layer !== undefined && layers.length === 1 ? layerKey(layer) : stored.digest }
  })
  return merge(repository, subject, contributions, shared, options, keys)
}

type Contributed = { readonly manifest: Document; readonly content: Digest }

async function merge(
  repository: Repository,
  subject: Digest,
  [own, ...beside]: readonly Contributed[],
  shared: SharedDocument<Descriptor>,
  options: MergeOptions,
  keys: readonly Digest[],
): Promise<boolean> {
  if (own === undefined) return false
  const before = await repository.manifest({ tag: shared.tag })
  const there = before === undefined ? new Map<Digest, Descriptor>() : shared.entries(before)
  if (keys.every((key) => there.has(key)) && before !== undefined) return false
  const claim = claimAll(repository, subject, shared.kind, [own, ...beside], options)
  await mergeContribution(repository, subject, { ...own, beside, claim }, shared, options)
  return true
}

/** Conditions are relied on only where every one of the manifests has shown them. */
async function claimAll(
  repository: Repository,
  subject: Digest,
  kind: WriterTagKind,
  own: readonly Contributed[],
  options: MergeOptions,
): Promise<boolean> {
  const through = gate(8)
  const claims = own.map(({ manifest, content }) =>
    through(() => patiently(() => claimOwnTag(repository, writerTag(subject, kind, content), manifest), options.pause)),
  )
  return (await Promise.all(claims)).every((conditional) => conditional)
}
