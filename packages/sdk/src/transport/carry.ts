/**
 * Writes an inventory to another place, in an order in which a crash leaves nothing half visible.
 *
 * Durable steps, each with what a crash after it leaves:
 *
 *  1. Blobs. Content that nothing refers to; a repeated copy does not send it again.
 *  2. Manifests by digest, those that others need first: children, the image, then what refers to them. Reachable by digest alone. Where the
 *     destination lists referrers itself, signatures are listed now, of an image that no tag names yet.
 *  3. Listings: fallback indexes, and the manifests under `.sig`, `.att` and `.sbom`, merged with what is there (`write/carried-writer.ts`).
 *  4. Everything is looked up again: manifests by digest, referrers in their lists.
 *  5. The tag. From here on the image is visible by name, with everything that belongs to it.
 */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { legacyTag, mediaTypes } from '@countersign/core/oci/layouts'
import { gate } from '../discover/bounded.ts'
import type { Repository, StoredManifest } from '../registry/repository.ts'
import { mergeLegacyManifests } from '../write/carried-writer.ts'
import type { MergeOptions } from '../write/merge.ts'
import { patiently } from '../write/patience.ts'
import { type BlobProgress, type CarriedBlobs, carryBlobs } from './blobs.ts'
import type { CarriedAccessory, CarriedManifest, Inventory } from './inventory.ts'
import { ensureListed, putSbom } from './listing.ts'

/** How it is written. */
export type CarryOptions = MergeOptions & {
  /** The tag that the image gets; absent: it is reachable by digest. */
  readonly tag?: string
  /** Overwrite a tag that names another image, and an SBOM under `.sbom` that is another. */
  readonly force?: boolean
  /** Leave the image itself out (`--only`): what refers to it is carried. */
  readonly withoutImage?: boolean
  readonly progress?: BlobProgress
}

/** What was written. */
export type Carried = {
  readonly blobs: CarriedBlobs
  /** Manifests, those that were there included. */
  readonly manifests: { readonly sent: number; readonly there: number }
  readonly tag?: string
}

/**
 * Carries an inventory. Throws `tag_taken` before anything is written when the tag names another image and `force` is not set,
 * `write_not_confirmed` when the destination does not have in the end what it confirmed, and the failures of both places.
 */
export async function carryInventory(inventory: Inventory, destination: Repository, options: CarryOptions = {}): Promise<Carried> {
  const { tag } = options
  if (tag !== undefined && options.withoutImage !== true) await checkTag(inventory, destination, tag, options)
  const carried = inCarryingOrder(inventory, options.withoutImage === true)
  // 1. Blobs.
  const blobs = await carryBlobs(carried, destination, options.progress)
  // 2. Manifests.
  const manifests = await putManifests(carried, destination)
  // 3. Listings.
  await listAccessories(inventory, destination, options)
  // 4. Everything again.
  await confirmAll(carried, destination)
  if (options.withoutImage === true) return { blobs, manifests }
  // 5. The tag.
  await nameImage(inventory, destination, options)
  return { blobs, manifests, ...(tag === undefined ? {} : { tag }) }
}

async function checkTag(inventory: Inventory, destination: Repository, tag: string, { force }: CarryOptions): Promise<void> {
  const there = await destination.resolve({ tag })
  if (there === undefined || there.digest === inventory.root.digest || force === true) return
  throw new CountersignError('tag_taken', `${destination.name}:${tag} is another image`, {
    expected: inventory.root.digest,
    found: there.digest,
    hint: 'Choose another tag, or overwrite it with --force.',
  })
}

/** Children before their index, subjects before what refers to them. */
function inCarryingOrder({ manifests, root, accessories }: Inventory, withoutImage: boolean): readonly CarriedManifest[] {
  const order = new Map<Digest, CarriedManifest>()
  const add = (digest: Digest): void => {
    const one = manifests.get(digest)
    if (one === undefined || order.has(digest)) return
    for (const child of one.children) add(child)
    order.set(digest, one)
  }
  if (!withoutImage) add(root.digest)
  for (const { manifest } of accessories) add(manifest)
  return [...order.values()]
}

/** In batches that need nothing of each other: first everything without children, then what lists those. */
async function putManifests(carried: readonly CarriedManifest[], destination: Repository): Promise<Carried['manifests']> {
  const through = gate(8)
  const counts = { sent: 0, there: 0 }
  const done = new Map<Digest, Promise<void>>()
  for (const one of carried) {
    const before = one.children.map(async (child) => done.get(child))
    const put = Promise.all(before).then(() => through(async () => void counts[await putOne(one.stored, destination)]++))
    done.set(one.stored.digest, put)
  }
  await Promise.all(done.values())
  return counts
}

/** A layout is told again of what it has: a crash may have left the manifest without its entry in `index.json`. */
async function putOne({ digest, bytes, mediaType }: StoredManifest, destination: Repository): Promise<'sent' | 'there'> {
  const there = (await destination.resolve({ digest })) !== undefined
  if (there && destination.carrier?.list === undefined) return 'there'
  await patiently(async () => destination.putManifest({ digest }, bytes, mediaType))
  return there ? 'there' : 'sent'
}

async function listAccessories(inventory: Inventory, destination: Repository, options: CarryOptions): Promise<void> {
  const bySubject = new Map<Digest, CarriedAccessory[]>()
  for (const accessory of inventory.accessories) {
    const same = bySubject.get(accessory.subject) ?? []
    same.push(accessory)
    bySubject.set(accessory.subject, same)
  }
  const through = gate(4)
  const subjects = [...bySubject].map(([subject, accessories]) =>
    through(async () => {
      const of = (layout: CarriedAccessory['layout']): readonly CarriedManifest[] => manifestsOf(inventory, accessories, layout)
      const referrers = accessories.filter(({ layout }) => !isTagged(layout)).map(({ manifest }) => inventory.manifests.get(manifest))
      await ensureListed(
        subject,
        referrers.filter((one) => one !== undefined),
        destination,
        options,
      )
      for (const kind of ['sig', 'att'] as const) {
        const stored = of(`legacy-${kind}`).map((one) => one.stored)
        if (stored.length > 0) await mergeLegacyManifests(destination, subject, kind, stored, options)
      }
      const [sbom] = of('legacy-sbom')
      if (sbom !== undefined) await putSbom(subject, sbom.stored, destination, options)
    }),
  )
  await Promise.all(subjects)
}

/** True for what is found by the name of its tag. */
export function isTagged(layout: CarriedAccessory['layout']): boolean {
  return layout === 'legacy-sig' || layout === 'legacy-att' || layout === 'legacy-sbom'
}

function manifestsOf(
  inventory: Inventory,
  accessories: readonly CarriedAccessory[],
  layout: CarriedAccessory['layout'],
): readonly CarriedManifest[] {
  return accessories.filter((one) => one.layout === layout).flatMap(({ manifest }) => inventory.manifests.get(manifest) ?? [])
}

async function confirmAll(carried: readonly CarriedManifest[], destination: Repository): Promise<void> {
  const through = gate(8)
  await Promise.all(
    carried.map(({ stored: { digest } }) =>
      through(async () => {
        if ((await destination.resolve({ digest })) !== undefined) return
        throw new CountersignError('write_not_confirmed', `${destination.name} confirmed ${digest} and does not have it`, {
          hint: 'Copy again: what is there is not sent again.',
        })
      }),
    ),
  )
}

/** cosign finds the image of a layout, and its legacy signatures, by the annotation `kind` of their entries (cosign pkg/oci/layout). */
const kindAnnotation = 'kind'
const cosignKind = { image: 'dev.cosignproject.cosign/image', index: 'dev.cosignproject.cosign/imageIndex' } as const
const cosignAccessory = { sig: 'dev.cosignproject.cosign/sigs', att: 'dev.cosignproject.cosign/atts' } as const

async function nameImage({ root, manifests }: Inventory, destination: Repository, { tag }: CarryOptions): Promise<void> {
  const stored = manifests.get(root.digest)?.stored
  const list = destination.carrier?.list
  if (stored === undefined) throw new CountersignError('internal', 'the image is not in its own inventory')
  if (list === undefined) {
    if (tag === undefined || (await destination.resolve({ tag }))?.digest === root.digest) return
    await patiently(async () => destination.putManifest({ tag }, stored.bytes, stored.mediaType))
    return
  }
  for (const kind of ['sig', 'att'] as const) {
    const accessory = legacyTag(root.digest, kind)
    const there = await destination.resolve({ tag: accessory })
    if (there !== undefined) await list(there, { tag: accessory, annotations: { [kindAnnotation]: cosignAccessory[kind] } })
  }
  const isIndex = stored.mediaType === mediaTypes.ociIndex || stored.mediaType === mediaTypes.dockerManifestList
  const annotations = { [kindAnnotation]: cosignKind[isIndex ? 'index' : 'image'] }
  const descriptor = { mediaType: stored.mediaType, digest: root.digest, size: stored.bytes.length }
  await list(descriptor, { annotations, ...(tag === undefined ? {} : { tag }) })
}
