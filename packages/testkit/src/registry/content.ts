/** What a test registry stores, in memory. It checks itself: content under a digest that changes is a broken test run. */
import { createHash } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'

/** A stored manifest. */
export type ManifestRecord = { readonly bytes: Uint8Array; readonly mediaType: string }

/** One repository. */
export type RepositoryContent = {
  readonly blobs: Map<string, Uint8Array>
  readonly manifests: Map<string, ManifestRecord>
  readonly tags: Map<string, string>
}

/** Everything stored, by repository name. */
export type RegistryContent = {
  readonly repositories: Map<string, RepositoryContent>
  /** The repository, made if need be. */
  readonly repository: (name: string) => RepositoryContent
  readonly putBlob: (repository: string, bytes: Uint8Array, digest?: string) => string
  readonly putManifest: (repository: string, bytes: Uint8Array, mediaType: string, reference?: string) => string
  /** Proves every digest of every repository again. Throws `internal` when one does not hold. */
  readonly check: () => void
}

/** Makes an empty store. */
export function createRegistryContent(): RegistryContent {
  const repositories = new Map<string, RepositoryContent>()
  const repository = (name: string): RepositoryContent => {
    const known = repositories.get(name) ?? { blobs: new Map(), manifests: new Map(), tags: new Map() }
    repositories.set(name, known)
    return known
  }
  return {
    repositories,
    repository,
    putBlob: (name, bytes, digest = digestOf(bytes)) => {
      verify(digest, bytes)
      // A copy (`slice` of a Buffer would be a view): a caller that goes on to change its buffer must not change what is stored.
      repository(name).blobs.set(digest, new Uint8Array(bytes))
      return digest
    },
    putManifest: (name, bytes, mediaType, reference) => {
      const digest = reference?.includes(':') === true ? reference : digestOf(bytes)
      verify(digest, bytes)
      repository(name).manifests.set(digest, { bytes: new Uint8Array(bytes), mediaType })
      if (reference !== undefined && !reference.includes(':')) repository(name).tags.set(reference, digest)
      return digest
    },
    check: () => {
      for (const { blobs, manifests, tags } of repositories.values()) {
        for (const [digest, bytes] of blobs) verify(digest, bytes)
        for (const [digest, { bytes }] of manifests) verify(digest, bytes)
        for (const [tag, digest] of tags) if (!manifests.has(digest)) throw new CountersignError('internal', `tag ${tag} points at nothing`)
      }
    },
  }
}

/** SHA-256 in OCI notation. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** Whether bytes are those that a digest names; false for a digest of an unknown algorithm. */
export function matchesDigest(digest: string, bytes: Uint8Array): boolean {
  const [algorithm, hex] = digest.split(':')
  return (algorithm === 'sha256' || algorithm === 'sha512') && createHash(algorithm).update(bytes).digest('hex') === hex
}

function verify(digest: string, bytes: Uint8Array): void {
  if (!matchesDigest(digest, bytes)) throw new CountersignError('internal', `the test registry holds other content under ${digest}`)
}
