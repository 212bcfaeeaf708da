/**
 * Referrers of a layout: every manifest whose `subject` is the digest, whether index.json lists it or not. `cosign save` keeps bundles as blobs
 * that nothing points at, so all blobs that could be manifests are looked at, within bounds; a bound that is hit is `limit_exceeded`.
 *
 * An entry of index.json without a tag whose blob is missing or has another digest may have been a referrer of anything: it is listed for every
 * subject, so that whoever reads it finds out. Else a signature that somebody spoilt would look like one that never was.
 */
import { parseDigest, type Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { parseJson, type JsonObject } from '@countersign/core/json/parse'
import type { Descriptor } from '@countersign/core/oci/model'
import { isTagged, readLayoutIndex } from './layout-index.ts'
import { readBlobWhole } from './layout-blob.ts'
import { layoutLimits, type LayoutStore } from './layout-store.ts'

/** A manifest that has a subject. */
type Referrer = { readonly subject: Digest; readonly descriptor: Descriptor }

/** The search for referrers of one layout. */
export type ReferrersScan = {
  readonly of: (subject: Digest) => Promise<readonly Descriptor[]>
  /** The digest of every manifest that has a subject, and of every entry of index.json that cannot be read. */
  readonly all: () => Promise<{ readonly referrers: ReadonlySet<Digest>; readonly spoilt: ReadonlySet<Digest> }>
}

type Found = { readonly referrers: readonly Referrer[]; readonly spoilt: readonly Descriptor[] }

/** Makes the search. Blobs are looked at once, and again when the layout changed. */
export function createReferrersScan(store: LayoutStore): ReferrersScan {
  let known: { readonly version: string; readonly found: Promise<Found> } | undefined
  const scan = async (): Promise<Found> => {
    const version = await store.version()
    if (known?.version !== version) known = { version, found: search(store) }
    return known.found
  }
  return {
    of: async (subject) => {
      const { referrers, spoilt } = await scan()
      const own = referrers.filter((referrer) => referrer.subject === subject).map(({ descriptor }) => descriptor)
      const found = [...new Map([...spoilt, ...own].map((descriptor) => [descriptor.digest, descriptor])).values()]
      if (found.length > layoutLimits.referrers) throw tooMuch(store, `more than ${layoutLimits.referrers} referrers`)
      return found
    },
    all: async () => {
      const { referrers, spoilt } = await scan()
      return {
        referrers: new Set(referrers.map(({ descriptor }) => descriptor.digest)),
        spoilt: new Set(spoilt.map(({ digest }) => digest)),
      }
    },
  }
}

async function search(store: LayoutStore): Promise<Found> {
  const [referrers, spoilt] = await Promise.all([findReferrers(store), findSpoilt(store)])
  return { referrers, spoilt }
}

async function findSpoilt(store: LayoutStore): Promise<readonly Descriptor[]> {
  const untagged = readLayoutIndex(await store.index(), store.name).entries.filter((entry) => !isTagged(entry))
  const spoilt: Descriptor[] = []
  let bytes = 0
  for (const entry of untagged) {
    const content = await readIfWhole(store, entry.digest)
    if (content === undefined) spoilt.push(entry)
    bytes += content?.length ?? 1
    if (bytes > layoutLimits.scannedBytes) throw tooMuch(store, `more than ${layoutLimits.scannedBytes} bytes of manifests`)
  }
  return spoilt
}

async function readIfWhole(store: LayoutStore, digest: Digest): Promise<Uint8Array | undefined> {
  try {
    return await readBlobWhole(store, digest, layoutLimits.manifest)
  } catch (cause) {
    if (cause instanceof CountersignError && (cause.code === 'content_altered' || cause.code === 'limit_exceeded')) return undefined
    throw cause
  }
}

async function findReferrers(store: LayoutStore): Promise<readonly Referrer[]> {
  const found: Referrer[] = []
  let blobs = 0
  let bytes = 0
  for await (const { digest, size } of store.blobs()) {
    if (++blobs > layoutLimits.blobs) throw tooMuch(store, `more than ${layoutLimits.blobs} blobs`)
    if (size > layoutLimits.manifest) continue
    const content = await readIfJsonObject(store, digest)
    bytes += content?.length ?? 1
    if (bytes > layoutLimits.scannedBytes) throw tooMuch(store, `more than ${layoutLimits.scannedBytes} bytes of small blobs`)
    const referrer = content?.includes('"subject"') === true ? toReferrer(content, digest, size) : undefined
    if (referrer !== undefined) found.push(referrer)
  }
  return found
}

/** The blob when it starts like a JSON object; layers and signatures in binary formats are left after one chunk. */
async function readIfJsonObject(store: LayoutStore, digest: Digest): Promise<Buffer | undefined> {
  const blob = await store.blob(digest)
  if (blob === undefined) return undefined
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of blob.content()) {
    if (length === 0 && !/^\s*\{/.test(Buffer.from(part.subarray(0, 64)).toString('latin1'))) return undefined
    length += part.length
    if (length > layoutLimits.manifest) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** What is no manifest is no referrer. Whether the bytes are those of the digest is checked when somebody reads the manifest. */
function toReferrer(content: Uint8Array, digest: Digest, size: number): Referrer | undefined {
  let value: unknown
  try {
    value = parseJson(content)
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    return undefined
  }
  const document = (typeof value === 'object' && value !== null ? value : {}) as JsonObject
  const subject = digestIn(document['subject'])
  const { mediaType, artifactType, config, layers, manifests } = document
  if (subject === undefined || (layers === undefined && manifests === undefined)) return undefined
  const fallback = manifests === undefined ? 'manifest' : 'index'
  const configType = typeof config === 'object' && config !== null && 'mediaType' in config ? config.mediaType : undefined
  const type = artifactType ?? configType
  return {
    subject,
    descriptor: {
      mediaType: typeof mediaType === 'string' ? mediaType : `application/vnd.oci.image.${fallback}.v1+json`,
      digest,
      size,
      ...(typeof type === 'string' ? { artifactType: type } : {}),
      annotations: textsOf(document['annotations']),
    },
  }
}

function digestIn(subject: unknown): Digest | undefined {
  const digest = typeof subject === 'object' && subject !== null && 'digest' in subject ? subject.digest : undefined
  return typeof digest === 'string' ? parseDigest(digest) : undefined
}

function textsOf(annotations: unknown): Readonly<Record<string, string>> {
  const entries = typeof annotations === 'object' && annotations !== null ? Object.entries(annotations) : []
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

function tooMuch(store: LayoutStore, found: string): CountersignError {
  return new CountersignError('limit_exceeded', `${store.name} is too large to search it for referrers`, { found })
}
