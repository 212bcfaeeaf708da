/** An index as the manifests that it lists. */
import { CountersignError } from '@countersign/core/failure'
import type { Digest } from '@countersign/core/digest'
import { mediaTypes } from '@countersign/core/oci/layouts'
import type { Descriptor, ImageIndex } from '@countersign/core/oci/model'
import { isPlatform } from '@countersign/core/oci/platform'
import { formatReference } from '@countersign/core/oci/reference'
import { parseStoredManifest } from '../discover/entity.ts'
import type { RepositoryReader } from '../registry/repository.ts'
import { resolveSubject } from '../sign/subjects.ts'
import { platformListed, platformsOf } from '../verify/platforms.ts'
import type { BatchItem, ContainerItem } from './model.ts'

/** Which manifests of an index are verified besides, or in place of, itself. */
export type ManifestChoice = {
  /** The index and every manifest that it lists, nested indexes included. */
  readonly recursive: boolean
  /** `os/architecture[/variant]`: of what it lists only these, and each must be there. */
  readonly platforms: readonly string[]
}

const maxManifests = 1_000
const maxDepth = 4
const indexTypes: ReadonlySet<string> = new Set([mediaTypes.ociIndex, mediaTypes.dockerManifestList])

/**
 * One item for each manifest that is chosen, and a failed one for each platform that is missing. What an index lists and the registry does not
 * have is found out when it is verified. Throws `artifact_not_found`, `limit_exceeded` beyond 1,000 manifests or 4 levels, `manifest_malformed`.
 */
export async function expandContainer(
  images: RepositoryReader,
  item: ContainerItem,
  choice: ManifestChoice,
): Promise<readonly BatchItem[]> {
  const { recursive, platforms } = choice
  if (!recursive && platforms.length === 0) return [item]
  const root = await resolveSubject(images, item.image)
  const pinned: ContainerItem = { ...item, image: { ...item.image, digest: root.digest } }
  const listed = await listManifests(images, root)
  if (platforms.length === 0) return [pinned, ...listed.map((child) => childItem(item, child, listed))]
  const items: BatchItem[] = recursive && isIndex(root) ? [pinned] : []
  const single = isIndex(root) ? undefined : await platformsOf(images, root)
  for (const platform of platforms) {
    const chosen = listed.filter((child) => platformListed(child).some((own) => isPlatform(own, platform)))
    if (chosen.length > 0) items.push(...chosen.map((child) => childItem(item, child, listed)))
    else if (single?.some((own) => isPlatform(own, platform)) === true) items.push({ ...pinned, platform })
    else items.push(missing(item, platform, single ?? listed.flatMap(platformListed)))
  }
  return items
}

function childItem(item: ContainerItem, child: Descriptor, listed: readonly Descriptor[]): ContainerItem {
  const image = { place: item.image.place, digest: child.digest }
  const [platform] = platformListed(child)
  return {
    ...item,
    subject: formatReference(image),
    image,
    platforms: listed.flatMap(platformListed),
    ...(platform === undefined ? {} : { platform }),
  }
}

function missing(item: ContainerItem, platform: string, known: readonly string[]): BatchItem {
  const { subject, at, demands } = item
  const failure = new CountersignError('artifact_not_found', `${subject} has no image for ${platform.slice(0, 60)}`, {
    found: known.length === 0 ? 'no platform at all' : known.join(', ').slice(0, 300),
    hint: 'Name platforms that it has, or have it built for this one.',
  })
  return {
    kind: 'failed',
    type: 'container',
    subject: `${subject} (${platform.slice(0, 60)})`,
    ...(at === undefined ? {} : { at }),
    demands,
    failure,
  }
}

/** Every manifest below, each once, in the order of the lists. Only what is an index is fetched for it. */
async function listManifests(images: RepositoryReader, root: Descriptor): Promise<readonly Descriptor[]> {
  const known = new Map<Digest, Descriptor>([[root.digest, root]])
  const visit = async (one: Descriptor, depth: number): Promise<void> => {
    if (!isIndex(one)) return
    if (depth >= maxDepth) throw beyond(images, root)
    for (const child of (await readIndex(images, one.digest)).manifests) {
      if (known.has(child.digest)) continue
      if (known.size > maxManifests) throw beyond(images, root)
      known.set(child.digest, child)
      await visit(child, depth + 1)
    }
  }
  await visit(root, 0)
  return [...known.values()].slice(1)
}

async function readIndex(images: RepositoryReader, digest: Digest): Promise<Pick<ImageIndex, 'manifests'>> {
  const stored = await images.manifest({ digest })
  const manifest = stored === undefined ? undefined : parseStoredManifest(stored)
  // What is not there is said when it is verified; what claims to be an index and is none lists nothing.
  return manifest?.kind === 'index' ? manifest : { manifests: [] }
}

function isIndex({ mediaType }: Descriptor): boolean {
  return indexTypes.has(mediaType.split(';', 1)[0]?.trim() ?? '')
}

function beyond(images: RepositoryReader, root: Descriptor): CountersignError {
  return new CountersignError(
    'limit_exceeded',
    `the index ${images.name}@${root.digest} lists more than ${maxManifests} manifests or ${maxDepth} levels`,
  )
}
