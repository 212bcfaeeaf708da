/** Reads each manifest and each blob of one discovery once, with bounds on parallelism, size and total. */
import { CountersignError, outcomeOf } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ManifestReference, RepositoryReader, StoredManifest } from '../registry/repository.ts'
import { gate, readAll } from './bounded.ts'
import type { DiscoveryLimits } from './limits.ts'

/** One discovery's view of a repository. */
export type Reading = {
  readonly repository: RepositoryReader
  readonly limits: DiscoveryLimits
  /** A manifest that something listed: one that is not there is a failure, not an absence. */
  readonly listedManifest: (reference: ManifestReference) => Promise<StoredManifest>
  readonly blob: (descriptor: Pick<Descriptor, 'digest' | 'size'>) => Promise<Uint8Array>
  /** Counts signatures about to be read; the failure when they are too many. */
  readonly countLayers: (count: number) => CountersignError | undefined
}

/** Content by digest, kept for a later discovery of the same run; tags are never kept. */
export type ContentCache = { readonly manifests: Map<string, Promise<StoredManifest>>; readonly blobs: Map<string, Promise<Uint8Array>> }

/** An empty cache. */
export function newContentCache(): ContentCache {
  return { manifests: new Map(), blobs: new Map() }
}

/**
 * Half of each bound is kept for what signatures usually are: small objects, in manifests of few layers. Hostile: otherwise a handful of great
 * ones, which anybody may push, would use up what may be read before the signature that matters.
 */
const greatBytes = 1024 * 1024
const manyLayers = 16

/** Starts a discovery's reading. */
export function startReading(repository: RepositoryReader, limits: DiscoveryLimits, cache: ContentCache = newContentCache()): Reading {
  const through = gate(limits.parallelism)
  const { manifests, blobs } = cache
  const tags = new Map<string, Promise<StoredManifest>>()
  const takeBytes = budget(limits.maxTotalBytes)
  const takeLayers = budget(limits.maxLayers)
  const count = (size: number, bytes: number): void => {
    if (takeBytes(bytes, size > greatBytes)) return
    throw new CountersignError('limit_exceeded', 'the signatures of this artifact have more bytes together than are read', {
      expected: `at most ${limits.maxTotalBytes}, half of them in objects of more than ${greatBytes}`,
    })
  }
  const readBlob = async (descriptor: Pick<Descriptor, 'digest' | 'size'>): Promise<Uint8Array> => {
    if (descriptor.size > limits.maxBundleBytes) {
      throw new CountersignError('limit_exceeded', `${descriptor.digest} has ${descriptor.size} bytes, more than ${limits.maxBundleBytes}`)
    }
    // What arrives counts, not what a descriptor claims: claims cost nothing.
    const counted = (bytes: number): void => count(descriptor.size, bytes)
    return through(() => readAll(repository.blob(descriptor), limits.maxBundleBytes, descriptor.digest, counted))
  }
  return {
    repository,
    limits,
    listedManifest: (reference) =>
      once('tag' in reference ? tags : manifests, 'tag' in reference ? reference.tag : reference.digest, async () => {
        const stored = await through(() => repository.manifest(reference))
        if (stored === undefined) return missing(repository, reference)
        count(stored.bytes.length, stored.bytes.length)
        return stored
      }),
    // By size too: of two descriptors of one digest one lies, and its failure is not the other's.
    blob: (descriptor) => once(blobs, `${descriptor.digest} ${descriptor.size}`, () => readBlob(descriptor)),
    // A manifest that goes beyond the bound is left out alone: the next one may hold the signature that matters.
    countLayers: (count) =>
      takeLayers(count, count > manyLayers)
        ? undefined
        : new CountersignError('limit_exceeded', 'this artifact has more signatures than are read', {
            expected: `at most ${limits.maxLayers}, half of them in manifests of more than ${manyLayers}`,
          }),
  }
}

/** Takes from a bound; false when that goes beyond it, or beyond its half for what is great. */
function budget(limit: number): (amount: number, great: boolean) => boolean {
  let taken = 0
  let takenByGreat = 0
  return (amount, great) => {
    if (taken + amount > limit || (great && takenByGreat + amount > limit / 2)) return false
    taken += amount
    if (great) takenByGreat += amount
    return true
  }
}

function missing(repository: RepositoryReader, reference: ManifestReference): never {
  const name = 'tag' in reference ? reference.tag : reference.digest
  throw new CountersignError('registry_failed', `${repository.name} lists ${name} as a signature, but does not have it`)
}

/** A failure is not kept: the next who asks tries again. */
async function once<V>(made: Map<string, Promise<V>>, key: string, make: () => Promise<V>): Promise<V> {
  const known = made.get(key)
  if (known !== undefined) return known
  const promise = make()
  made.set(key, promise)
  try {
    return await promise
  } catch (cause) {
    if (made.get(key) === promise) made.delete(key)
    throw cause
  }
}

/** The failure of the platform in `cause`; anything else is a broken assumption and goes on up. */
export function failureIn(cause: unknown): CountersignError {
  if (cause instanceof CountersignError) return cause
  throw cause
}

/** True if a failure leaves the question open (network, registry, a limit); false if it says what is wrong with the content. */
export function leavesOpen(failure: CountersignError): boolean {
  const outcome = outcomeOf(failure.code)
  return outcome === 'unknown' || failure.code === 'io_failed' || failure.code === 'internal'
}
