/** Finds an image, and of an index the image of one platform. */
import { CountersignError } from '@countersign/core/failure'
import { parseManifest } from '@countersign/core/oci/manifest'
import type { Descriptor } from '@countersign/core/oci/model'
import { formatReference, type ImageReference } from '@countersign/core/oci/reference'
import type { Connection } from '@countersign/sdk/connection'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import type { RepositoryReader } from '@countersign/sdk/registry/repository'
import { resolveSubject } from '@countersign/sdk/sign/subjects'

/** The descriptor of an image, in a run of its own. Throws `artifact_not_found`. */
export async function resolveImage(image: ImageReference, connection: Connection): Promise<Descriptor> {
  const run = createRegistryRun(connection)
  try {
    return await resolveSubject(await run.open(image.place), image)
  } finally {
    run.close()
  }
}

/** The image of a platform (`os/architecture[/variant]`) in an index; the image itself when no platform is asked for. */
export async function resolvePlatform(
  repository: RepositoryReader,
  image: ImageReference,
  platform: string | undefined,
): Promise<Descriptor> {
  const root = await resolveSubject(repository, image)
  if (platform === undefined) return root
  const stored = await repository.manifest({ digest: root.digest })
  const index = stored === undefined ? undefined : parseManifest(stored.bytes, stored.mediaType)
  if (index?.kind !== 'index') {
    throw new CountersignError('usage', '--platform was given, and the image is no index', {
      found: formatReference(image),
      hint: 'Leave --platform out.',
    })
  }
  const [os, architecture, variant] = platform.split('/')
  const match = index.manifests.find(
    (entry) =>
      entry.platform?.os === os &&
      entry.platform?.architecture === architecture &&
      (variant === undefined || entry.platform?.variant === variant),
  )
  if (match !== undefined) return match
  const known = index.manifests.flatMap((entry) =>
    entry.platform === undefined ? [] : [`${entry.platform.os}/${entry.platform.architecture}`],
  )
  throw new CountersignError('artifact_not_found', `the index has no image for ${platform.slice(0, 60)}`, {
    found: known.join(', ').slice(0, 300),
    hint: 'Name one of them.',
  })
}
