/** Copies an image with everything that signs or describes it. */
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ImageReference } from '@countersign/core/oci/reference'
import { parseStoredManifest } from '../discover/entity.ts'
import type { Repository } from '../registry/repository.ts'
import type { ImageRepositories } from '../sign/repositories.ts'
import { resolveSubject } from '../sign/subjects.ts'
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
  const stored = await images.manifest({ digest: subject.digest })
  const index = stored === undefined ? undefined : parseStoredManifest(stored)
  if (index?.kind !== 'index') {
    throw new CountersignError('usage', `${subject.digest} is no index: it has no platforms to choose from`, {
      hint: 'Leave --platform out.',
    })
  }
  const found = platforms.map((name) => ({ name, child: index.manifests.find((child) => platformsOf(child).includes(name)) }))
  const absent = found.find(({ child }) => child === undefined)
  if (absent !== undefined) {
    throw new CountersignError('artifact_not_found', `${subject.digest} has no image for ${absent.name}`, {
      found: index.manifests
        .flatMap((child) => platformsOf(child).slice(0, 1))
        .join(', ')
        .slice(0, 300),
    })
  }
  return others.length === 0 ? (found[0]?.child ?? subject) : subject
}

/** `os/arch/variant` and `os/arch`. */
function platformsOf({ platform }: Descriptor): readonly string[] {
  if (platform === undefined) return []
  const short = `${platform.os}/${platform.architecture}`
  return platform.variant === undefined ? [short] : [`${short}/${platform.variant}`, short]
}
