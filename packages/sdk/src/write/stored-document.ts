/** What is found under the tags of shared documents and of other writers: taken up where it is what it should be, and never overwritten where not. */
import { CountersignError } from '@countersign/core/failure'
import type { ImageIndex, ImageManifest } from '@countersign/core/oci/model'
import { parseStoredManifest } from '../discover/entity.ts'
import type { StoredManifest } from '../registry/repository.ts'

type Parsed = ImageManifest | ImageIndex

const expected: Readonly<Record<Parsed['kind'], string>> = { index: 'an image index', manifest: 'an image manifest' }

/** The shared document under a tag, as the kind that it must be. Throws `manifest_malformed` for anything else: it belongs to somebody. */
export function readShared<Kind extends Parsed['kind']>(
  stored: StoredManifest,
  tag: string,
  kind: Kind,
): Extract<Parsed, { readonly kind: Kind }> {
  let document: Parsed | undefined
  try {
    document = parseStoredManifest(stored)
  } catch (cause) {
    throw occupied(tag, kind, 'something that does not parse', cause)
  }
  if (document === undefined) throw occupied(tag, kind, `a ${stored.mediaType}`)
  // `cosign copy` leaves the image itself under the fallback tag.
  if (document.kind !== kind) throw occupied(tag, kind, expected[document.kind])
  return document as Extract<Parsed, { readonly kind: Kind }>
}

/** The manifest under another writer's tag; `undefined` for what is none: not ours to merge, and discovery reports it as malformed. */
export function readContributed(stored: StoredManifest): ImageManifest | undefined {
  try {
    const manifest = parseStoredManifest(stored)
    return manifest?.kind === 'manifest' ? manifest : undefined
  } catch (cause) {
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}

function occupied(tag: string, kind: Parsed['kind'], found: string, cause?: unknown): CountersignError {
  return new CountersignError('manifest_malformed', `the tag ${tag} holds something other than signatures; it was left as it is`, {
    expected: expected[kind],
    found,
    hint: `Look at the tag ${tag}, delete it or move it to another name, and sign again.`,
    ...(cause === undefined ? {} : { cause }),
  })
}
