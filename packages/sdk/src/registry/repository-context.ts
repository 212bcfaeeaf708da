/** What the operations on one repository share. */
import type { Digest } from '@countersign/core/digest'
import type { Descriptor } from '@countersign/core/oci/model'
import { failureOfStatus } from '../http/failures.ts'
import type { CountersignError } from '@countersign/core/failure'
import type { Answer } from './endpoint.ts'
import { errorText } from './error-body.ts'
import type { CachedObject, ObjectCache } from './object-cache.ts'
import type { ManifestReference } from './repository.ts'
import type { RepositorySession } from './session.ts'

/** One repository: its session, what was read from it, and the upload session that was opened for a blob to come. */
export type RepositoryContext = {
  readonly session: RepositorySession
  readonly cache: ObjectCache
  readonly earlier?: EarlierObjects
  readonly uploads: { expected?: Promise<Answer> }
}

/** What earlier runs have read from this repository: bytes that were hashed just now, and are what the digest names. */
export type EarlierObjects = {
  readonly read: (kind: 'blob' | 'manifest', digest: Digest, maxBytes: number) => Uint8Array | undefined
  readonly keep: (kind: 'blob' | 'manifest', digest: Digest, bytes: Uint8Array) => void
}

/** Bounds of what a registry may send, in bytes unless named otherwise. */
export const registryLimits: {
  readonly manifest: number
  readonly page: number
  readonly referrerPages: number
  readonly referrers: number
  readonly tagPages: number
  readonly smallBlob: number
  readonly cache: number
} = {
  /** Manifests: what the distribution-spec makes every registry accept. */
  manifest: 4 * 1024 * 1024,
  /** One page of referrers or tags. */
  page: 8 * 1024 * 1024,
  referrerPages: 200,
  referrers: 10_000,
  tagPages: 10_000,
  /** Blobs up to this size are read at once and kept. */
  smallBlob: 1024 * 1024,
  /** Everything kept of all repositories of a run. */
  cache: 128 * 1024 * 1024,
}

/** The media types of manifests that are asked for; a registry may convert what it does not find here. */
export const manifestTypes: readonly string[] = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.artifact.manifest.v1+json',
]

/** The key of an object of this repository: existence is a property of a repository, not of a registry. */
export function cacheKey(context: RepositoryContext, kind: 'blob' | 'manifest', digest: Digest): string {
  return `${context.session.name} ${kind} ${digest}`
}

/** `tag` or digest, as it stands in a path. */
export function referenceText(reference: ManifestReference): string {
  return 'digest' in reference ? reference.digest : reference.tag
}

/** For messages: `registry/repository:tag` or `registry/repository@digest`. */
export function referenceName(context: RepositoryContext, reference: ManifestReference): string {
  return 'digest' in reference ? `${context.session.name}@${reference.digest}` : `${context.session.name}:${reference.tag}`
}

/** An answer whose status was not expected, as a failure with what the registry says about it. Ends the body. */
export async function unexpected(answer: Answer): Promise<CountersignError> {
  return failureOfStatus(answer.request, answer.response.status, await errorText(answer))
}

/** A manifest from the cache as a descriptor. */
export function cachedDescriptor(object: CachedObject, digest: Digest): Descriptor {
  return { mediaType: object.mediaType, digest, size: object.bytes.length }
}
