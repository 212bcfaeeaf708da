/** Reads a layout as a repository. Layouts have no referrers API: referrers are found by looking at every manifest. */
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs, type JsonObject } from '@countersign/core/json/parse'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ManifestReference, ReferrersAnswer, RepositoryReader, StoredManifest } from '../registry/repository.ts'
import { altered, verifiedStream } from '../registry/verified-stream.ts'
import { readBlobWhole } from './layout-blob.ts'
import { indexType, readLayoutIndex, soleImage } from './layout-index.ts'
import { createReferrersScan } from './layout-referrers.ts'
import { layoutLimits, type LayoutStore } from './layout-store.ts'

/** Makes the reader of a layout. */
export function createLayoutReader(store: LayoutStore): RepositoryReader {
  const scan = createReferrersScan(store)
  return {
    name: store.name,
    resolve: async (reference) => {
      const stored = await readLayoutManifest(store, reference)
      return stored === undefined ? undefined : { mediaType: stored.mediaType, digest: stored.digest, size: stored.bytes.length }
    },
    manifest: (reference) => readLayoutManifest(store, reference),
    blob: (descriptor) => readBlob(store, descriptor),
    referrers: async (subject): Promise<ReferrersAnswer> => ({ kind: 'listed', manifests: await scan.of(subject) }),
    soleImage: async () => soleImage(readLayoutIndex(await store.index(), store.name), await scan.all(), store.name),
    tags: () => listTags(store),
  }
}

/** A manifest's bytes, hashed. The `etag` of a tag is the digest that it points at. */
export async function readLayoutManifest(store: LayoutStore, reference: ManifestReference): Promise<StoredManifest | undefined> {
  const index = readLayoutIndex(await store.index(), store.name)
  const entry = 'tag' in reference ? index.tags.get(reference.tag) : index.entries.find(({ digest }) => digest === reference.digest)
  const digest = 'tag' in reference ? entry?.digest : reference.digest
  if (digest === undefined) return undefined
  const bytes = await readBlobWhole(store, digest, layoutLimits.manifest)
  if (bytes === undefined) {
    if (entry === undefined) return undefined
    throw new CountersignError('layout_malformed', `${store.name} lacks the manifest ${digest} that its index.json names`)
  }
  if (entry !== undefined && entry.size !== bytes.length) {
    throw altered(`${store.name}@${digest}`, `${entry.size} bytes`, `${bytes.length} bytes`)
  }
  const mediaType = mediaTypeOf(bytes, entry?.mediaType, `${store.name}@${digest}`)
  return { bytes, mediaType, digest, ...('tag' in reference ? { etag: digest } : {}) }
}

async function* readBlob(store: LayoutStore, descriptor: Pick<Descriptor, 'digest' | 'size'>): AsyncIterable<Uint8Array> {
  const what = `the blob ${store.name}@${descriptor.digest}`
  const blob = await store.blob(descriptor.digest)
  if (blob === undefined) throw new CountersignError('layout_malformed', `${what} is missing, though a manifest names it`)
  if (blob.size !== descriptor.size) throw altered(what, `${descriptor.size} bytes`, `${blob.size} bytes`)
  yield* verifiedStream(blob.content(), descriptor, what)
}

async function* listTags(store: LayoutStore): AsyncIterable<string> {
  yield* readLayoutIndex(await store.index(), store.name).tags.keys()
}

/**
 * The media type of a manifest: what the document says, which must be what its descriptor says (CVE-2021-41190); without either, an index is
 * what has `manifests`.
 */
function mediaTypeOf(bytes: Uint8Array, described: string | undefined, what: string): string {
  const { value } = parseJsonAs('layout_malformed', what, bytes)
  const document = (typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}) as JsonObject
  const inside = document['mediaType']
  if (typeof inside === 'string') {
    if (described === undefined || described === inside) return inside
    throw new CountersignError('layout_malformed', `${what} contradicts its descriptor`, {
      expected: described.slice(0, 120),
      found: inside.slice(0, 120),
    })
  }
  return described ?? ('manifests' in document ? indexType : 'application/vnd.oci.image.manifest.v1+json')
}
