/** Opens what signing and verifying an image need: the repository of the image, and the one that keeps its signatures. */
import type { ImageReference } from '@countersign/core/oci/reference'
import type { Connection } from '../connection.ts'
import { createRegistryRun, type RegistryRun } from '../open-repository.ts'
import type { Repository } from '../registry/repository.ts'

/** The repository of an image and that of its signatures; usually the same. */
export type ImageRepositories = { readonly images: Repository; readonly signatures: Repository }

/** What names the two repositories; `signatureRepository` is cosign's `COSIGN_REPOSITORY`. */
export type ImagePlaces = { readonly image: ImageReference; readonly signatureRepository?: ImageReference }

/** Opens both in a run. */
export async function openImageRepositories(run: RegistryRun, { image, signatureRepository }: ImagePlaces): Promise<ImageRepositories> {
  const images = await run.open(image.place)
  return { images, signatures: signatureRepository === undefined ? images : await run.open(signatureRepository.place) }
}

/** Opens both in a run of their own, and ends the run with the work. */
export async function withImageRepositories<T>(
  places: ImagePlaces & { readonly connection: Connection },
  work: (repositories: ImageRepositories) => Promise<T>,
): Promise<T> {
  const run = createRegistryRun(places.connection)
  try {
    return await work(await openImageRepositories(run, places))
  } finally {
    run.close()
  }
}
