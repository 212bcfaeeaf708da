/** Whether an image that was named by its digest, and that nothing acceptable signs, is there at all. */
import type { Digest } from '@countersign/core/digest'
import type { Refusal } from '@countersign/core/verify/evidence'
import { failureIn } from '../discover/reading.ts'
import type { RepositoryReader } from '../registry/repository.ts'
import { resolveSubject } from '../sign/subjects.ts'
import { refusalFrom } from './outcome.ts'

/**
 * Why the image could not be found; `undefined` when it is there. "Unsigned" is said of things that exist, so this is asked before anything is
 * refused, and only then: what a signature covers is the digest, and one request in five of a long run would change no outcome.
 */
export async function absence(images: RepositoryReader, image: { readonly digest: Digest }): Promise<Refusal | undefined> {
  try {
    await resolveSubject(images, image)
    return undefined
  } catch (cause) {
    return refusalFrom(failureIn(cause))
  }
}
