/** Writes digests into a file that mentions images, and changes no other byte of it. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { findImages } from './find.ts'
import type { Given, ImageMention, MentionedImages } from './model.ts'

/** A file to be pinned: its text, what it mentions, and what its variables stood for. */
export type PinnableFile = MentionedImages & { readonly file: string; readonly text: string; readonly given?: Given }

/** What one place becomes. */
export type PinChange = { readonly mention: ImageMention; /** References, whole. */ readonly from: string; readonly to: string }

/** The new text, and what changed in it, in the order of the text. */
export type PinnedFile = { readonly text: string; readonly changes: readonly PinChange[] }

/**
 * Puts the digest of each image beside its tag: `repo:tag@sha256:…`. An image without a tag gets the one that it means, `latest`; Helm values in
 * parts get the digest where their chart looks for it. The result is read again: it must mention the same images as before, pinned.
 *
 * Throws `image_unresolved` for a place that cannot be written without changing what is around it, such as a tag in a variable.
 *
 * @example
 * ```ts
 * const text = 'apiVersion: v1\nkind: Pod\nspec: { containers: [{ image: app:1.2 }] }'
 * const found = await findImages(text, 'pod.yaml')
 * const pinned = await pinImages({ ...found, file: 'pod.yaml', text }, () => digest)
 * ```
 */
export async function pinImages(file: PinnableFile, digestOf: (mention: ImageMention) => Digest | undefined): Promise<PinnedFile> {
  const changes: PinChange[] = []
  const wanted = new Map<ImageMention, string>()
  let text = ''
  let done = 0
  for (const mention of file.images) {
    const digest = digestOf(mention)
    if (digest === undefined) continue
    const to = pinnedReference(mention, digest)
    wanted.set(mention, to)
    if (to === mention.text) continue
    const { start, end } = mention
    if (start < done) throw unwritable(mention, 'it is read in two ways from one place')
    text += file.text.slice(done, start) + replacement(file.text.slice(start, end), mention, digest, to)
    done = end
    changes.push({ mention, from: mention.text, to })
  }
  const pinned = { text: text + file.text.slice(done), changes }
  if (changes.length > 0) await demandSameImages(file, pinned.text, wanted)
  return pinned
}

/** The digest in a reference as text; what stands after the last `@`. */
export function splitPin(text: string): { readonly name: string; readonly digest?: string } {
  const at = text.lastIndexOf('@')
  return at === -1 ? { name: text } : { name: text.slice(0, at), digest: text.slice(at + 1) }
}

function pinnedReference(mention: ImageMention, digest: Digest): string {
  const { name } = splitPin(mention.text)
  const tagged = mention.part !== undefined || splitPin(mention.text).digest !== undefined || name.includes(':', name.lastIndexOf('/') + 1)
  return `${tagged ? name : `${name}:latest`}@${digest}`
}

/** What stands in the place afterwards. */
function replacement(written: string, mention: ImageMention, digest: Digest, to: string): string {
  switch (mention.part) {
    case 'digest':
      return written !== '' && !written.includes(':') ? digest.slice(digest.indexOf(':') + 1) : digest
    case 'tag':
      return `${splitPin(written).name}@${digest}`
    case undefined:
      if (written !== mention.text) throw unwritable(mention, 'it is made of variables, or written over several lines')
      return to
    default:
      return mention.part satisfies never
  }
}

function unwritable({ file, line, column, text }: ImageMention, why: string): CountersignError {
  return new CountersignError('image_unresolved', `${file}:${line}:${column}: ${text.slice(0, 200)} cannot be pinned here: ${why}`, {
    hint: 'Write the digest where the variable has its value, or write the image as it is.',
  })
}

/** Whatever a value's surroundings make of what was written into it: it must be read as what was meant. */
async function demandSameImages(file: PinnableFile, text: string, wanted: ReadonlyMap<ImageMention, string>): Promise<void> {
  const again = await findImages(text, file.file, file.kind, file.given)
  const same = again.images.length === file.images.length
  const wrong = file.images.find((mention, index) => {
    const after = again.images[index]
    return after?.text !== (wanted.get(mention) ?? mention.text) || after.path !== mention.path || after.skip !== mention.skip
  })
  if (same && wrong === undefined) return
  throw unwritable(wrong ?? (file.images[0] as ImageMention), 'it would be read as something else')
}
