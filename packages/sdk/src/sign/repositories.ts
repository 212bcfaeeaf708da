/** Opens what signing and verifying an image need: the repository of the image, and the one that keeps its signatures. */
import type { ImageReference } from '@countersign/core/oci/reference'
import type { Connection } from '../connection.ts'
import { createRegistryRun } from '../open-repository.ts'
import type { Repository } from '../registry/repository.ts'

/** The repository of an image and that of its signatures; usually the same. */
export type ImageRepositories = { readonly images: Repository; readonly signatures: Repository }

/** What names the two repositories; `signatureRepository` is cosign's `COSIGN_REPOSITORY`. */
export type ImagePlaces = {
  readonly image: ImageReference
  readonly signatureRepository?: ImageReference
  readonly connection: Connection
}

/** Opens both in a run of their own, and ends the run with the work. */
export async function withImageRepositories<T>(places: ImagePlaces, work: (repositories: ImageRepositories) => Promise<T>): Promise<T> {
  const run = createRegistryRun(places.connection)
  try {
    const images = await run.open(places.image.place)
    const signatures = places.signatureRepository === undefined ? images : await run.open(places.signatureRepository.place)
    return await work({ images, signatures })
  } finally {
    run.close()
  }
}
