/** `index.json`: which manifests a layout has, and their tags. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { legacyTag, type LegacySuffix } from '@countersign/core/oci/layouts'
import { parseManifest } from '@countersign/core/oci/manifest'
import type { Descriptor } from '@countersign/core/oci/model'

/** The media type of `index.json`. */
export const indexType = 'application/vnd.oci.image.index.v1+json'
/** The annotation that is a tag (image-spec 1.1, annotations.md). */
export const refNameAnnotation = 'org.opencontainers.image.ref.name'

/** `index.json` as read: entries in their order, and where each tag points. */
export type LayoutIndex = { readonly entries: readonly Descriptor[]; readonly tags: ReadonlyMap<string, Descriptor> }

/** Whether an entry has a tag, or is one that `cosign save` left without. */
export function isTagged(entry: Descriptor): boolean {
  return entry.annotations?.[refNameAnnotation] !== undefined || entry.annotations?.[kindAnnotation]?.startsWith(cosignKind) === true
}

/** Reads `index.json`. Throws `layout_malformed`. */
export function readLayoutIndex(bytes: Uint8Array, name: string): LayoutIndex {
  const entries = parseEntries(bytes, name)
  const tags = new Map<string, Descriptor>()
  for (const entry of entries) {
    const tag = entry.annotations?.[refNameAnnotation]
    if (tag === undefined) continue
    if (tags.has(tag) && tags.get(tag)?.digest !== entry.digest) {
      throw new CountersignError('layout_malformed', `${name}: index.json gives one tag to two manifests`, { found: tag.slice(0, 128) })
    }
    tags.set(tag, entry)
  }
  for (const [tag, entry] of savedByCosign(entries)) if (!tags.has(tag)) tags.set(tag, entry)
  return { entries, tags }
}

function parseEntries(bytes: Uint8Array, name: string): readonly Descriptor[] {
  try {
    const index = parseManifest(bytes, indexType)
    if (index.kind === 'index') return index.manifests
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('layout_malformed', `${name}: index.json is malformed: ${cause.message}`, { cause })
  }
  throw new CountersignError('layout_malformed', `${name}: index.json is not an image index`)
}

const kindAnnotation = 'kind'
const cosignKind = 'dev.cosignproject.cosign/'
const suffixes: Readonly<Record<string, LegacySuffix>> = { sigs: 'sig', atts: 'att', sboms: 'sbom' }

/**
 * `cosign save` keeps one image with its legacy signatures and drops their tags: the annotation `kind` tells what each entry was
 * (cosign pkg/oci/layout). The tags are restored where they are unambiguous. Nothing is trusted for it: what is found is verified as ever.
 */
function savedByCosign(entries: readonly Descriptor[]): ReadonlyMap<string, Descriptor> {
  const kindOf = (entry: Descriptor): string => {
    const kind = entry.annotations?.[kindAnnotation] ?? ''
    return kind.startsWith(cosignKind) ? kind.slice(cosignKind.length) : ''
  }
  const images = entries.filter((entry) => ['image', 'imageIndex'].includes(kindOf(entry)))
  const tags = new Map<string, Descriptor>()
  const [image] = images
  if (image === undefined || images.length > 1) return tags
  for (const entry of entries) {
    const suffix = Object.hasOwn(suffixes, kindOf(entry)) ? suffixes[kindOf(entry)] : undefined
    if (suffix !== undefined) tags.set(legacyTag(image.digest, suffix), entry)
  }
  return tags
}

/** Tags that hold signatures: cosign's legacy tags, the fallback tag of the distribution-spec, and those of single writers. */
const accessoryTag = /^sha(?:256|384|512)-[0-9a-f]{64}/

/**
 * The one image of a layout, leaving out whatever refers to an image (`referrers`) or holds signatures of one, and what cannot be read
 * (`spoilt`) as long as something else is left; `undefined` when there is none. Throws `usage` when there are several.
 */
export function soleImage(
  index: LayoutIndex,
  { referrers, spoilt }: { readonly referrers: ReadonlySet<Digest>; readonly spoilt: ReadonlySet<Digest> },
  name: string,
): Descriptor | undefined {
  const signatures = new Set([...index.tags].filter(([tag]) => accessoryTag.test(tag)).map(([, { digest }]) => digest))
  const images = new Map<Digest, Descriptor>()
  for (const entry of index.entries) {
    if (!referrers.has(entry.digest) && !signatures.has(entry.digest)) images.set(entry.digest, entry)
  }
  const sound = [...images.values()].filter(({ digest }) => !spoilt.has(digest))
  const [image, ...others] = sound.length === 0 ? images.values() : sound
  if (others.length === 0) return image
  const tags = [...index.tags.keys()].filter((tag) => !accessoryTag.test(tag))
  throw new CountersignError('usage', `${name} holds ${images.size} images`, {
    found: tags.join(', ').slice(0, 300),
    hint: 'Name one of them with its tag or digest.',
  })
}
