/** Finds everything that claims to sign an artifact: all layouts at once, merged, nothing shadowed. */
import { legacyAnnotation } from '@countersign/core/bundle/legacy'
import type { Digest } from '@countersign/core/digest'
import { type CountersignError, unreachable } from '@countersign/core/failure'
import { mediaTypes } from '@countersign/core/oci/layouts'
import type { Descriptor, ImageManifest } from '@countersign/core/oci/model'
import type { ReferrersAnswer, RepositoryReader } from '../registry/repository.ts'
import type { FoundLayout } from '../verify/requests.ts'
import { type LayerContent, type ManifestContent, readContent } from './content.ts'
import { isBundleMediaType } from './entity.ts'
import type { Discovery, FoundEntity, FoundManifest } from './found.ts'
import { layerKey } from './layer-key.ts'
import { defaultDiscoveryLimits, type DiscoveryLimits } from './limits.ts'
import { type ContentCache, failureIn, leavesOpen, type Reading, startReading } from './reading.ts'
import { type Candidate, fallbackCandidates, legacyTagCandidates, referrerCandidates, type Source, writerCandidates } from './sources.ts'

/** Bounds, and content that an earlier discovery of the same run has read. */
export type DiscoveryOptions = Partial<DiscoveryLimits> & {
  readonly cache?: ContentCache
  /** Hears what was found, before anything of it is judged. */
  readonly observe?: (discovery: Discovery) => void
}

/**
 * Finds every signature and attestation of `subject` in a repository.
 *
 * Reads at the same time: the referrers API, the fallback tag `sha256-<hex>`, the tags `.sig` and `.att`, and the tags that writers put
 * for themselves. Each manifest and blob is fetched once. What a descriptor says (`artifactType`) decides nothing: the manifest does.
 * Never throws for a registry that fails: such failures are in `unreadable`.
 *
 * @example
 * ```ts
 * const { found, unreadable } = await discoverSignatures(repository, { digest })
 * if (found.length === 0 && unreadable.length > 0) throw unreadable[0]
 * ```
 */
export async function discoverSignatures(
  repository: RepositoryReader,
  subject: Pick<Descriptor, 'digest'>,
  options: DiscoveryOptions = {},
): Promise<Discovery> {
  const { cache, observe, ...limits } = options
  const walk = startWalk(startReading(repository, { ...defaultDiscoveryLimits, ...limits }, cache), subject.digest)
  const { reading, digest } = walk
  const note = (failure: CountersignError): void => void walk.unreadable.push(failure)
  const answer = repository.referrers(digest)
  const listed = [referrerCandidates(reading, answer, note), fallbackCandidates(reading, digest, note)]
  const legacy = [legacyTagCandidates(reading, digest, 'sig'), legacyTagCandidates(reading, digest, 'att')]
  const visits = [...listed, ...legacy].map((source) => visitSource(walk, source))
  const visited = await Promise.all([...visits, visitWriters(walk, visits)])
  const discovery: Discovery = { ...merge(visited.flat(), walk.unreadable), ...(await kindOf(answer)) }
  observe?.(discovery)
  return discovery
}

/** A failure of the referrers API is among the unreadable places already. */
function kindOf(answer: Promise<ReferrersAnswer>): Promise<Pick<Discovery, 'referrers'>> {
  return answer.then(
    ({ kind }) => ({ referrers: kind }),
    () => ({}),
  )
}

type Walk = {
  readonly reading: Reading
  readonly digest: Digest
  /** By digest and by whether the source demands a subject: a tag's manifest needs none, a listed referrer does. */
  readonly contents: Map<string, Promise<ManifestContent>>
  readonly unreadable: CountersignError[]
}

type Visited = { readonly source: Source; readonly content: ManifestContent }

function startWalk(reading: Reading, digest: Digest): Walk {
  return { reading, digest, contents: new Map(), unreadable: [] }
}

/** Reads what one source lists, as soon as it answers. */
async function visitSource(walk: Walk, listing: Promise<readonly Candidate[]>): Promise<Visited[]> {
  try {
    const candidates = await listing
    return (await Promise.all(candidates.map((candidate) => visit(walk, candidate)))).filter((visited) => visited !== undefined)
  } catch (cause) {
    walk.unreadable.push(failureIn(cause))
    return []
  }
}

/** Writer tags that the merged index or manifest already holds need no request; so the other sources are awaited, then the rest is read. */
async function visitWriters(walk: Walk, others: readonly Promise<Visited[]>[]): Promise<Visited[]> {
  const listing = writerCandidates(walk.reading, walk.digest, (failure) => void walk.unreadable.push(failure))
  return visitSource(
    walk,
    listing.then(async (tags) => {
      if (tags.length === 0) return []
      const held = new Set<string>()
      for (const { content } of (await Promise.all(others)).flat()) {
        held.add(content.digest.slice(7, 39))
        for (const layer of content.layers.filter(isPlain))
          held.add(layerKey({ digest: layer.blob, annotations: layer.annotations }).slice(7, 39))
      }
      return tags.filter((tag) => !held.has(tag.half))
    }),
  )
}

/** Hostile: a copy of a signature that does not parse, or came with a foreign certificate, must not make its writer's tag look read. */
function isPlain({ parsed, annotations }: LayerContent): boolean {
  const { certificate, chain, rekorBundle, timestamp } = legacyAnnotation
  return parsed.ok && ![certificate, chain, rekorBundle, timestamp].some((name) => Object.hasOwn(annotations, name))
}

async function visit(walk: Walk, candidate: Candidate): Promise<Visited | undefined> {
  try {
    const stored = candidate.stored ?? (await walk.reading.listedManifest(candidate.reference))
    const needsSubject = candidate.source === 'referrers' || candidate.source === 'fallback'
    const isOurs = (manifest: ImageManifest): boolean =>
      manifest.subject === undefined ? !needsSubject : manifest.subject.digest === walk.digest
    const key = `${stored.digest} ${needsSubject}`
    const known = walk.contents.get(key) ?? readContent(walk.reading, stored, isOurs)
    walk.contents.set(key, known)
    return { source: candidate.source, content: await known }
  } catch (cause) {
    const failure = failureIn(cause)
    if (leavesOpen(failure) || !('digest' in candidate.reference)) {
      walk.unreadable.push(failure)
      return undefined
    }
    return { source: candidate.source, content: brokenManifest(candidate.reference.digest, failure) }
  }
}

/** A manifest whose bytes are not those of its digest: someone changed it. */
function brokenManifest(digest: Digest, failure: CountersignError): ManifestContent {
  const layer: LayerContent = { blob: digest, mediaType: '', bytes: new Uint8Array(), annotations: {}, parsed: { ok: false, failure } }
  return { digest, mediaType: '', size: 0, layers: [layer], unreadable: [] }
}

/**
 * The same blob, read in the same way, with the same annotations is one signature, wherever it was found. Hostile: anybody who may push can
 * name the blob of another's signature with a wrong size or as something else. That is a broken signature of its own, and shadows none.
 */
function merge(visited: readonly Visited[], unreadable: readonly CountersignError[]): Discovery {
  const found = new Map<string, FoundEntity>()
  const failures = new Set(unreadable)
  for (const { source, content } of visited) {
    for (const failure of content.unreadable) failures.add(failure)
    for (const { blob, ...layer } of content.layers) {
      const kind = isBundleMediaType(layer.mediaType) ? mediaTypes.bundle : layer.mediaType
      const key = `${blob} ${kind} ${layer.parsed.ok} ${JSON.stringify(Object.entries(layer.annotations).toSorted(byName))}`
      const layout = layoutOf(source, layer.mediaType)
      const known = found.get(key)
      const layouts = known === undefined ? [layout] : [...new Set([...known.origin.layouts, layout])]
      const manifest = known?.origin.manifest ?? content.digest
      found.set(key, { ...(known ?? layer), origin: { layouts, manifest, blob } })
    }
  }
  return { found: [...found.values()], unreadable: [...failures], manifests: manifestsOf(visited) }
}

function manifestsOf(visited: readonly Visited[]): Discovery['manifests'] {
  const manifests = new Map<Digest, FoundManifest>()
  for (const { source, content } of visited) {
    if (content.manifest === undefined) continue
    const known = manifests.get(content.digest)
    const sources = known === undefined ? [source] : [...new Set([...known.sources, source])]
    manifests.set(content.digest, { manifest: content.manifest, mediaType: content.mediaType, size: content.size, sources })
  }
  return manifests
}

function byName(a: readonly [string, string], b: readonly [string, string]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0
}

function layoutOf(source: Source, mediaType: string): FoundLayout {
  switch (source) {
    case 'referrers':
      return mediaType === mediaTypes.simpleSigning ? 'legacy-referrer' : 'bundle-referrer'
    case 'fallback':
      return mediaType === mediaTypes.simpleSigning ? 'legacy-referrer' : 'bundle-fallback-tag'
    case 'writer':
      return 'bundle-writer-tag'
    case 'legacy-writer':
      return 'legacy-writer-tag'
    case 'legacy-tag':
      return 'legacy-tag'
    default:
      return unreachable(source)
  }
}
