/** The manifests of an image and of what belongs to it, each read once and noted. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor, ImageIndex, ImageManifest } from '@countersign/core/oci/model'
import { formatPlatform, isPlatform } from '@countersign/core/oci/platform'
import type { Gate } from '../discover/bounded.ts'
import { parseStoredManifest } from '../discover/entity.ts'
import type { Repository, StoredManifest } from '../registry/repository.ts'
import type { ImageRepositories } from '../sign/repositories.ts'
import type { AccessoryTags } from './accessory-tags.ts'
import { type CarriedAccessory, type CarriedManifest, inventoryLimits } from './inventory.ts'

/** What of the image is taken. */
export type GatherOptions = {
  /** Of an index, the children of these platforms (`os/arch[/variant]`) alone; absent: all. */
  readonly platforms?: readonly string[]
  /** The image itself and what refers to it, without children and without signatures on signatures. */
  readonly shallow?: boolean
  /** Of what refers to them; absent: everything. */
  readonly wanted?: (accessory: CarriedAccessory) => boolean
}

/** An inventory while it is made. */
export type InventoryWalk = {
  readonly source: ImageRepositories
  readonly through: Gate
  readonly tags: AccessoryTags
  readonly options: GatherOptions
  readonly manifests: Map<Digest, CarriedManifest>
  readonly accessories: Map<string, CarriedAccessory>
  readonly unreadable: CountersignError[]
  /** Of each subject: 0 for the image and its children, 1 for what refers to them … */
  readonly levels: Map<Digest, number>
  /** The referrers API of the source, once it is known to be missing. */
  noReferrers: boolean
}

/** Takes the image, and with an index those of its children that are wanted. Throws `artifact_not_found`, `not_supported`, `limit_exceeded`. */
export async function takeImage(walk: InventoryWalk, digest: Digest, depth: number): Promise<void> {
  if (walk.manifests.has(digest)) return
  const stored = await walk.through(() => walk.source.images.manifest({ digest }))
  if (stored === undefined) {
    throw new CountersignError('artifact_not_found', `${walk.source.images.name}@${digest} is listed by the index, but does not exist`)
  }
  const manifest = parseStoredManifest(stored)
  if (manifest === undefined) {
    throw new CountersignError('not_supported', `${digest} is neither an image nor an index`, { found: stored.mediaType.slice(0, 120) })
  }
  const wanted =
    manifest.kind === 'index' && walk.options.shallow !== true
      ? manifest.manifests.filter((child) => depth > 0 || isWantedPlatform(walk.options, child))
      : []
  await takeManifest(walk, walk.source.images, stored, manifest, wanted, depth)
}

function isWantedPlatform({ platforms }: GatherOptions, { platform }: Descriptor): boolean {
  if (platforms === undefined) return true
  if (platform === undefined) return false
  return platforms.some((named) => isPlatform(formatPlatform(platform), named))
}

/** Notes a manifest, and with an index whatever it lists. */
export async function takeManifest(
  walk: InventoryWalk,
  from: Repository,
  stored: StoredManifest,
  manifest: ImageManifest | ImageIndex,
  children: readonly Descriptor[],
  depth: number,
): Promise<void> {
  if (walk.manifests.size >= inventoryLimits.manifests || depth > inventoryLimits.depth) {
    throw new CountersignError(
      'limit_exceeded',
      `more than ${inventoryLimits.manifests} manifests or ${inventoryLimits.depth} levels belong to this image`,
    )
  }
  const blobs = manifest.kind === 'index' ? [] : [manifest.config, ...manifest.layers].filter((blob) => !isForeign(blob))
  walk.manifests.set(stored.digest, { stored, manifest, from, blobs, children: children.map(({ digest }) => digest) })
  await Promise.all(
    children.map(async ({ digest }) => {
      if (from === walk.source.images) return takeImage(walk, digest, depth + 1)
      if (walk.manifests.has(digest)) return undefined
      const child = await walk.through(() => from.manifest({ digest }))
      const parsed = child === undefined ? undefined : parseStoredManifest(child)
      if (child === undefined || parsed === undefined) {
        throw new CountersignError('registry_failed', `${from.name} lacks ${digest}, which ${stored.digest} lists`)
      }
      return takeManifest(walk, from, child, parsed, parsed.kind === 'index' ? parsed.manifests : [], depth + 1)
    }),
  )
}

/** Layers that are to be fetched from elsewhere (image-spec 1.1, layer.md, "Non-Distributable Layers"): registries do not hold them. */
function isForeign({ mediaType }: Descriptor): boolean {
  return mediaType.includes('.nondistributable.') || mediaType.includes('.foreign.')
}
