/** Finds an image, and of an index the image of one platform. */
import type { Descriptor } from '@countersign/core/oci/model'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { Connection } from '@countersign/sdk/connection'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import type { RepositoryReader } from '@countersign/sdk/registry/repository'
import { resolveSubject } from '@countersign/sdk/sign/subjects'
import { choosePlatforms } from '@countersign/sdk/verify/platforms'

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
  const [chosen] = await choosePlatforms(repository, root, [platform])
  return chosen ?? root
}
