/** What tests ask of the finder: each mention on one line. */
import { CountersignError } from '@countersign/core/failure'
import { findImages } from '@countersign/sdk/manifests/find'
import type { Given, ManifestKind } from '@countersign/sdk/manifests/model'

/** `PATH TEXT`, with `(SKIP)` behind what is skipped and `?` where it cannot be told. */
export async function mentioned(text: string, file: string, given: Given = {}, kind?: ManifestKind): Promise<readonly string[]> {
  const { images } = await findImages(text, file, kind, given)
  return images.map(({ path, text: image, skip, unresolved }) => {
    const why = skip === undefined ? '' : ` (${skip})${unresolved === true ? ' ?' : ''}`
    return `${path} ${image}${why}`
  })
}

/** The message of the refusal, after its code. */
export async function refusalOf(text: string, file: string, kind?: ManifestKind): Promise<string> {
  try {
    await findImages(text, file, kind)
    return 'none'
  } catch (cause) {
    if (cause instanceof CountersignError) return `${cause.code}: ${cause.message}`
    throw cause
  }
}
