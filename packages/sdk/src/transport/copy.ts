/** Copies an image with everything that signs or describes it. */
import type { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { Repository } from '../registry/repository.ts'
import type { ImageRepositories } from '../sign/repositories.ts'
import { resolveSubject } from '../sign/subjects.ts'
import { choosePlatforms } from '../verify/platforms.ts'
import { type Carried, type CarryOptions, carryInventory } from './carry.ts'
import { gatherInventory } from './gather.ts'
import type { CarriedAccessory, Inventory } from './inventory.ts'

/** What cosign's `--only` names: signatures, attestations, attached SBOMs; of every layout. */
export type CopyOnly = 'sig' | 'att' | 'sbom'

/** What to copy, and how. */
export type CopyRequest = Omit<CarryOptions, 'withoutImage'> & {
  readonly image: Pick<ImageReference, 'tag' | 'digest'>
  /**
   * One platform (`os/arch[/variant]`) of an index: that image alone, as cosign does. Several: the index itself, with these children alone, which
   * not every registry takes.
   */
  readonly platforms?: readonly string[]
  /** What refers to the image, without the image. */
  readonly only?: readonly CopyOnly[]
  /** Runs once everything is read and before anything is written: throws to refuse the copy. */
  readonly check?: (subject: Descriptor) => Promise<void>
}

/** What was copied. */
export type CopiedImage = {
  readonly subject: Descriptor
  readonly accessories: readonly CarriedAccessory[]
  /** Listed at the source and not to be had there: not copied. */
  readonly unreadable: readonly CountersignError[]
  readonly carried: Carried
}

/**
 * Copies an image, every child of an index, and their bundles, legacy signatures, attestations, SBOMs and other referrers, those of those too.
 * `destination` is opened when the source is read and checked, so that a refused copy leaves nothing.
 *
 * Throws `artifact_not_found`, `tag_taken`, `limit_exceeded`, `content_altered`, `write_not_confirmed`, and the failures of both repositories.
 *
 * @example
 * ```ts
 * const source = { images: repository, signatures: repository }
 * const { accessories } = await copyImage(source, async () => repository, { image, tag: 'mirrored' })
 * for (const { layout, kind, entries } of accessories) console.log(layout, kind, entries)
 * ```
 */
export async function copyImage(
  source: ImageRepositories,
  destination: () => Promise<Repository>,
  request: CopyRequest,
): Promise<CopiedImage> {
  const { image, platforms, only, check, ...options } = request
  const subject = await chosenImage(source, image, platforms)
  const inventory: Inventory = await gatherInventory(source, subject, {
    ...(platforms === undefined || platforms.length < 2 ? {} : { platforms }),
    ...(only === undefined ? {} : { wanted: (accessory) => only.some((name) => kinds[name] === accessory.kind) }),
  })
  await check?.(subject)
  const carried = await carryInventory(inventory, await destination(), { ...options, withoutImage: only !== undefined })
  return { subject, accessories: inventory.accessories, unreadable: inventory.unreadable, carried }
}

const kinds: Readonly<Record<CopyOnly, CarriedAccessory['kind']>> = { sig: 'signature', att: 'attestation', sbom: 'sbom' }

async function chosenImage(
  { images }: ImageRepositories,
  image: Pick<ImageReference, 'tag' | 'digest'>,
  platforms: readonly string[] = [],
): Promise<Descriptor> {
  const subject = await resolveSubject(images, image)
  const [platform, ...others] = platforms
  if (platform === undefined) return subject
  const [first] = await choosePlatforms(images, subject, platforms)
  return others.length === 0 ? (first ?? subject) : subject
}
