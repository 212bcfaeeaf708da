/** Reads manifests and indexes, OCI 1.1 and Docker schema 2 (image-spec manifest.md, image-index.md, descriptor.md). */
import { parseDigest } from '../digest.ts'
import { parseJsonAs } from '../json/parse.ts'
import {
  count,
  documentPlace,
  isAbsent,
  nonEmptyText,
  openMembers,
  optional,
  optionalItems,
  refuse,
  text,
  textMap,
  type Members,
  type Place,
} from '../json/shape.ts'
import { mediaTypes } from './layouts.ts'
import type { Descriptor, ImageIndex, ImageManifest, Platform } from './model.ts'

const code = 'manifest_malformed'
/** The distribution specification asks registries to take 4 MiB; an index of a much-signed image may come near. */
const maxBytes = 8 * 1024 * 1024
const maxDescriptors = 50_000
const maxAnnotations = 1_000
const indexTypes: readonly string[] = [mediaTypes.ociIndex, mediaTypes.dockerManifestList]
const manifestTypes: readonly string[] = [mediaTypes.ociManifest, mediaTypes.dockerManifest]

/**
 * Reads a manifest or index. `mediaType` is the Content-Type (parameters are ignored) or the descriptor's media type, where there is one.
 *
 * Hostile: a document that one tool reads as a manifest and another as an index (CVE-2021-41190). Hence the body's own media type must be
 * the one outside, and no document may have the members of both. Unknown members are ignored, as the specification demands.
 * Throws `manifest_malformed`.
 */
export function parseManifest(bytes: Uint8Array, mediaType?: string): ImageManifest | ImageIndex {
  const { value } = parseJsonAs(code, 'the manifest', bytes, { maxBytes })
  const root = documentPlace(value, code)
  const field = openMembers(root)
  if (field('schemaVersion').value !== 2) refuse(field('schemaVersion'), 'not 2; signed and schema 1 manifests are not supported')
  const inside = optional(field('mediaType'), nonEmptyText)
  const outside = mediaType?.split(';', 1)[0]?.trim()
  if (inside !== undefined && outside !== undefined && inside !== outside) {
    refuse(field('mediaType'), 'not the media type under which the manifest is stored', { expected: outside, found: inside.slice(0, 120) })
  }
  return readAs(root, field, inside ?? outside)
}

function readAs(root: Place, field: Members, stated: string | undefined): ImageManifest | ImageIndex {
  const looksIndex = field('manifests').value !== undefined
  const looksManifest = ['layers', 'config', 'fsLayers'].some((name) => field(name).value !== undefined)
  if (looksIndex && looksManifest) refuse(root, 'both a manifest and an index')
  const mediaType = stated ?? (looksIndex ? mediaTypes.ociIndex : mediaTypes.ociManifest)
  if (indexTypes.includes(mediaType)) {
    return looksManifest
      ? refuse(root, 'a manifest that is called an index')
      : { kind: 'index', mediaType, manifests: list(field('manifests')), ...shared(field) }
  }
  if (!manifestTypes.includes(mediaType)) return refuse(root, 'neither a manifest nor an index', { found: mediaType.slice(0, 120) })
  if (looksIndex) refuse(root, 'an index that is called a manifest')
  const config = readDescriptor(field('config'))
  return { kind: 'manifest', mediaType, config, layers: list(field('layers')), ...shared(field) }
}

function shared(field: Members): Pick<ImageManifest, 'annotations' | 'artifactType' | 'subject'> {
  const artifactType = optional(field('artifactType'), text)
  const subject = optional(field('subject'), readDescriptor)
  return {
    ...(artifactType === undefined || artifactType === '' ? {} : { artifactType }),
    ...(subject === undefined ? {} : { subject }),
    annotations: optional(field('annotations'), (place) => textMap(place, maxAnnotations)) ?? {},
  }
}

/** Some writers say `null` for an empty list. */
function list(at: Place): readonly Descriptor[] {
  return optionalItems(at, maxDescriptors).map(readDescriptor)
}

/** Reads one descriptor. Inline `data` and `urls` are ignored: content always comes from the repository and is checked by digest. */
export function readDescriptor(at: Place): Descriptor {
  const field = openMembers(at)
  const digest = parseDigest(text(field('digest')))
  if (digest === undefined) return refuse(field('digest'), 'not a digest that is supported')
  const artifactType = optional(field('artifactType'), text)
  const annotations = optional(field('annotations'), (place) => textMap(place, maxAnnotations))
  const platform = optional(field('platform'), readPlatform)
  return {
    mediaType: nonEmptyText(field('mediaType')),
    digest,
    size: count(field('size')),
    ...(artifactType === undefined || artifactType === '' ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform }),
  }
}

function readPlatform(at: Place): Platform {
  const field = openMembers(at)
  const platform = { os: optional(field('os'), text) ?? '', architecture: optional(field('architecture'), text) ?? '' }
  const variant = isAbsent(field('variant')) ? '' : text(field('variant'))
  return variant === '' ? platform : { ...platform, variant }
}
