/** Judges one of many images on what was listed a moment ago, and makes no refusal from memory. */
import type { ImageRepositories } from '../sign/repositories.ts'

/**
 * Runs `work` on the repositories as they were listed a moment ago, where they offer that. When the result is not `isFinal` and anything in it
 * came from memory, the work is done again on what the registry says now: a signature that was written since is found, and whoever can
 * write to the cache can cause no refusal.
 */
export async function withRemembered<R>(
  repositories: ImageRepositories,
  work: (repositories: ImageRepositories) => Promise<R>,
  isFinal: (result: R) => boolean,
): Promise<R> {
  const images = repositories.images.remembered?.()
  const signatures = repositories.signatures === repositories.images ? images : repositories.signatures.remembered?.()
  if (images === undefined && signatures === undefined) return work(repositories)
  const result = await work({
    images: images?.repository ?? repositories.images,
    signatures: signatures?.repository ?? repositories.signatures,
  })
  const assumed = images?.assumed() === true || signatures?.assumed() === true
  return assumed && !isFinal(result) ? work(repositories) : result
}
