/**
 * Removes what refers to an image, of one kind or all, in every layout.
 *
 * Durable steps, each with what a crash after it leaves; running it again completes what is left:
 *
 *  1. The fallback index without the entries. Writers' tags still name them: they are found and removed by the next run.
 *  2. Tags of what is removed, where the registry removes tags.
 *  3. The manifests, by digest.
 *  4. Everything is looked up again.
 */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { fallbackTag, legacyTag } from '@countersign/core/oci/layouts'
import type { ImageIndex, ImageManifest } from '@countersign/core/oci/model'
import { parseStoredManifest } from '../discover/entity.ts'
import type { Repository } from '../registry/repository.ts'
import type { ImageRepositories } from '../sign/repositories.ts'
import { resolveSubject } from '../sign/subjects.ts'
import { fallbackIndex } from '../write/document.ts'
import { randomPause, type Pause } from '../write/patience.ts'
import { listAccessoryTags } from './accessory-tags.ts'
import { isTagged } from './carry.ts'
import { gatherInventory } from './gather.ts'
import type { CarriedAccessory } from './inventory.ts'

/** cosign's types. `referrer`: everything that is listed as a referrer, of whatever kind. */
export type CleanType = 'signature' | 'attestation' | 'sbom' | 'referrer' | 'all'

/** One manifest to remove, and the tags that name it. */
export type Removal = CarriedAccessory & { readonly tags: readonly string[] }

/** What would go. */
export type CleanPlan = {
  readonly subject: Digest
  readonly removals: readonly Removal[]
  /** Left alone because it is an image as far as anyone can tell, though the name of a tag says that it is a signature. */
  readonly suspicious: readonly Removal[]
  readonly unreadable: readonly CountersignError[]
}

/** Finds what would go; writes nothing. Throws `artifact_not_found`, and the failures of the repositories. */
export async function planClean(
  source: ImageRepositories,
  image: Parameters<typeof resolveSubject>[1],
  type: CleanType,
): Promise<CleanPlan> {
  const { signatures } = source
  const subject = await resolveSubject(source.images, image)
  const isWanted = (accessory: CarriedAccessory): boolean => matches(accessory, type)
  const { accessories, manifests, unreadable } = await gatherInventory(source, subject, { shallow: true, wanted: isWanted })
  const tags = await tagsOf(signatures, subject.digest)
  const removals = accessories.map((accessory) => ({ ...accessory, tags: tags.get(accessory.manifest) ?? [] }))
  const isSuspicious = ({ manifest, layout }: Removal): boolean =>
    isTagged(layout) && (manifest === subject.digest || isImage(manifests.get(manifest)?.manifest))
  return {
    subject: subject.digest,
    removals: removals.filter((removal) => !isSuspicious(removal)),
    suspicious: removals.filter(isSuspicious),
    unreadable,
  }
}

function matches({ kind, layout }: CarriedAccessory, type: CleanType): boolean {
  return type === 'all' || (type === 'referrer' ? !isTagged(layout) : kind === type)
}

/** Hostile: whoever can set tags can call an image a signature, and have it removed by somebody who may remove. */
function isImage(manifest: ImageManifest | ImageIndex | undefined): boolean {
  if (manifest?.kind !== 'manifest') return true
  return manifest.layers.some(({ mediaType }) => mediaType.includes('.image.layer.') || mediaType.includes('.image.rootfs.'))
}

async function tagsOf(signatures: Repository, subject: Digest): Promise<ReadonlyMap<Digest, readonly string[]>> {
  const known = await listAccessoryTags(signatures)
  const names = [
    ...(['sig', 'att', 'sbom'] as const).map((suffix) => legacyTag(subject, suffix)),
    ...known.writers(subject).map(({ tag }) => tag),
  ]
  const found = new Map<Digest, string[]>()
  for (const tag of names) {
    const stored = await signatures.resolve({ tag })
    if (stored === undefined) continue
    const tags = found.get(stored.digest) ?? []
    tags.push(tag)
    found.set(stored.digest, tags)
  }
  return found
}

/**
 * Removes what a plan names, and nothing else. Throws `write_rejected` where the registry does not allow it, `write_not_confirmed` when
 * something is still there in the end.
 */
export async function executeClean(signatures: Repository, plan: CleanPlan, pause: Pause = randomPause): Promise<void> {
  const gone = new Set(plan.removals.map(({ manifest }) => manifest))
  try {
    // 1. The fallback index.
    await removeEntries(signatures, plan.subject, gone, pause)
    for (const { manifest, tags } of plan.removals) {
      // 2. Tags.
      for (const tag of tags) await removeTag(signatures, tag)
      // 3. The manifest.
      await signatures.deleteManifest({ digest: manifest })
    }
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code !== 'write_rejected') throw cause
    throw new CountersignError('write_rejected', `${signatures.name} does not let anything be removed: ${cause.message}`, {
      cause,
      hint: 'Ask its operator to allow deletion, or for the right to delete. docker-registry: REGISTRY_STORAGE_DELETE_ENABLED=true.',
    })
  }
  // 4. Everything again.
  for (const { manifest, tags } of plan.removals) {
    const there = [{ digest: manifest }, ...tags.map((tag) => ({ tag }))]
    for (const reference of there) {
      if ((await signatures.resolve(reference)) === undefined) continue
      throw new CountersignError(
        'write_not_confirmed',
        `${signatures.name} still has ${'tag' in reference ? reference.tag : reference.digest}`,
        {
          hint: 'Run it again; some registries remove with a delay.',
        },
      )
    }
  }
}

/** Some registries remove tags only with their manifest, which follows. */
async function removeTag(signatures: Repository, tag: string): Promise<void> {
  try {
    await signatures.deleteManifest({ tag })
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code !== 'write_rejected') throw cause
  }
}

const maxRounds = 12

async function removeEntries(signatures: Repository, subject: Digest, gone: ReadonlySet<Digest>, pause: Pause): Promise<void> {
  const tag = fallbackTag(subject)
  for (let round = 0; round < maxRounds; round++) {
    if (round > 1) await pause(round)
    const stored = await signatures.manifest({ tag })
    const index = stored === undefined ? undefined : parseStoredManifest(stored)
    if (stored === undefined || index?.kind !== 'index' || !index.manifests.some(({ digest }) => gone.has(digest))) return
    const left = index.manifests.filter(({ digest }) => !gone.has(digest))
    if (left.length === 0) {
      await removeTag(signatures, tag)
      // An index of nothing but what goes holds nothing else.
      if ((await signatures.resolve({ tag })) !== undefined) await signatures.deleteManifest({ digest: stored.digest })
      continue
    }
    const { bytes, mediaType } = fallbackIndex(left)
    await signatures.putManifest({ tag }, bytes, mediaType, stored.etag === undefined ? undefined : { kind: 'if_match', etag: stored.etag })
  }
  throw new CountersignError('write_not_confirmed', `other writers keep changing the tag ${tag}`, { hint: 'Run it again.' })
}
