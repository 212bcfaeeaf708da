/**
 * A repository that asks for less: for a run over many images, each of which is judged on what was listed a moment ago.
 *
 * Only listings are remembered, only of places of signatures, and whoever judges is told: a refusal is never made from memory, it is made
 * again from what the registry says now (`verify/remembered.ts`). What a user names by tag is always asked for.
 */
import { CountersignError } from '@countersign/core/failure'
import type { Digest } from '@countersign/core/digest'
import type { ManifestReference, RememberedView, Repository, StoredManifest } from '../registry/repository.ts'
import { isKept, type ListedAnswer, type Listings } from './listings.ts'

/** What one view stands on. */
export type Memory = {
  readonly listings: () => Promise<Listings>
  /** Milliseconds. */
  readonly maxAgeMs: number
  /** Unix milliseconds. */
  readonly nowMs: () => number
  /** Questions that are being asked, so that images of one repository share the answer. */
  readonly asking: Map<string, Promise<ListedAnswer>>
  readonly referrersRoute: RouteCount
}

/** How often the registry has answered as one without the referrers API, and whether it ever had it. Shared by its repositories. */
export type RouteCount = { missing: number; there: boolean }

/** So often the route must have been missing before it is not asked for again in this run. */
const enoughMissing = 3

/** Fallback indexes and cosign's `.sig` and `.att`. Names that people give tags do not look like this. */
const placeTag = /^sha(?:256|384|512)-[0-9a-f]{64,128}(\.(?:sig|att))?$/

/** A view of `inner` for the judgement of one image. */
export function rememberedView(inner: Repository, memory: Memory): RememberedView {
  let assumed = false
  const ask = async (question: string, send: () => Promise<ListedAnswer>): Promise<ListedAnswer> => {
    const listings = await memory.listings()
    const known = listings.recall(question, memory.maxAgeMs) ?? memory.asking.get(question)
    if (known !== undefined) {
      assumed = true
      return known
    }
    const atMs = memory.nowMs()
    const sent = send()
    memory.asking.set(question, sent)
    try {
      const answer = await sent
      if (isKept(answer)) listings.note(question, { atMs, answer })
      return answer
    } finally {
      memory.asking.delete(question)
    }
  }
  const allTags = (): Promise<ListedAnswer> => ask('tags', () => readTags(inner))
  const place = async (tag: string): Promise<StoredManifest | undefined> => {
    if (placeTag.exec(tag)?.[1] !== undefined && (await isUnlisted(allTags(), tag))) {
      assumed = true
      return undefined
    }
    let read: StoredManifest | undefined
    const answer = await ask(`tag ${tag}`, async () => {
      read = await inner.manifest({ tag })
      return read === undefined ? { kind: 'absent' } : { kind: 'found', descriptor: { ...read, size: read.bytes.length } }
    })
    return read ?? (answer.kind === 'found' ? inner.manifest({ digest: answer.descriptor.digest }) : undefined)
  }
  return {
    assumed: () => assumed,
    repository: {
      ...inner,
      resolve: async (reference) => {
        if ('tag' in reference) return inner.resolve(reference)
        const answer = await ask(`resolve ${reference.digest}`, async () => {
          const descriptor = await inner.resolve(reference)
          return descriptor === undefined ? { kind: 'absent' } : { kind: 'found', descriptor }
        })
        return answer.kind === 'found' ? answer.descriptor : undefined
      },
      manifest: (reference: ManifestReference) =>
        'tag' in reference && placeTag.test(reference.tag) ? place(reference.tag) : inner.manifest(reference),
      referrers: async (subject: Digest) => {
        const { referrersRoute: route } = memory
        if (route.missing >= enoughMissing && !route.there) {
          assumed = true
          return { kind: 'unsupported' }
        }
        const answer = await ask(`referrers ${subject}`, async () => {
          const said = await inner.referrers(subject)
          if (said.kind === 'unsupported' && said.noRoute === true) route.missing++
          else route.there = true
          return said
        })
        return answer.kind === 'listed' || answer.kind === 'unsupported' ? answer : unfitting(answer)
      },
      tags: async function* () {
        const answer = await allTags()
        yield* answer.kind === 'tags' ? answer.tags : unfitting(answer)
      },
    },
  }
}

/** A listing that could not be read says nothing: then the tag itself is asked for. */
async function isUnlisted(listing: Promise<ListedAnswer>, tag: string): Promise<boolean> {
  try {
    const answer = await listing
    return answer.kind === 'tags' && !setOf(answer.tags).has(tag)
  } catch (cause) {
    if (cause instanceof CountersignError) return false
    throw cause
  }
}

const sets = new WeakMap<readonly string[], ReadonlySet<string>>()

function setOf(tags: readonly string[]): ReadonlySet<string> {
  const known = sets.get(tags) ?? new Set(tags)
  sets.set(tags, known)
  return known
}

/** Hostile: what was kept on disk under this question is an answer to another one. */
function unfitting(answer: ListedAnswer): never {
  throw new CountersignError('registry_response_malformed', `a remembered listing is of another kind (${answer.kind})`)
}

/** As many as a discovery reads, so that a repository of more is no memory without end. */
const maxTags = 100_001

async function readTags(inner: Repository): Promise<ListedAnswer> {
  const tags: string[] = []
  for await (const tag of inner.tags()) {
    tags.push(tag)
    if (tags.length === maxTags) break
  }
  return { kind: 'tags', tags }
}
