/** Reads manifests (distribution-spec 1.1, "Pulling manifests"). */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { parseJson, parseJsonAs } from '@countersign/core/json/parse'
import type { Descriptor } from '@countersign/core/oci/model'
import { againWhenBroken, readBody } from '../http/body.ts'
import { describeRequest } from '../http/failures.ts'
import { contentLength, contentType, header } from '../http/message.ts'
import type { Answer } from './endpoint.ts'
import type { CachedObject } from './object-cache.ts'
import type { ManifestReference, StoredManifest } from './repository.ts'
import {
  cachedDescriptor,
  cacheKey,
  manifestTypes,
  referenceName,
  referenceText,
  registryLimits,
  unexpected,
  type RepositoryContext,
} from './repository-context.ts'
import { altered, checkDigest, sha256Digest } from './verified-stream.ts'

/**
 * Digest, size and media type. By digest a HEAD is enough: its answer cannot change what the digest names. By tag the manifest itself is
 * fetched and hashed, because a header proves nothing.
 */
export async function resolveManifest(context: RepositoryContext, reference: ManifestReference): Promise<Descriptor | undefined> {
  if ('tag' in reference) return describe(await readManifest(context, reference))
  const { digest } = reference
  const kept = context.cache.peek(cacheKey(context, 'manifest', digest))
  if (kept !== undefined && kept.earlier !== true) return cachedDescriptor(kept, digest)
  const answer = await request(context, 'HEAD', reference)
  answer.response.discard()
  if (answer.response.status === 404) return undefined
  // A few registries know no HEAD.
  if (answer.response.status === 405) return describe(await readManifest(context, reference))
  if (answer.response.status !== 200) throw await unexpected(answer)
  const size = contentLength(answer.response)
  const mediaType = contentType(answer.response)
  if (size !== undefined && size > registryLimits.manifest) throw tooLarge(context, reference)
  if (size !== undefined && size > 0 && mediaType !== '') return { mediaType, digest, size }
  return describe(await readManifest(context, reference))
}

function describe(stored: StoredManifest | undefined): Descriptor | undefined {
  return stored === undefined ? undefined : { mediaType: stored.mediaType, digest: stored.digest, size: stored.bytes.length }
}

/** A manifest's bytes, at most 4 MiB, hashed. By digest each is fetched once per run; a tag is always asked for anew. */
export async function readManifest(context: RepositoryContext, reference: ManifestReference): Promise<StoredManifest | undefined> {
  if ('tag' in reference) {
    const stored = await againWhenBroken(() => fetchManifest(context, reference))
    if (stored !== undefined) {
      context.cache.keep(cacheKey(context, 'manifest', stored.digest), stored)
      context.earlier?.keep('manifest', stored.digest, stored.bytes)
    }
    return stored
  }
  const object = await context.cache.get(cacheKey(context, 'manifest', reference.digest), () => loadManifest(context, reference.digest))
  return object === undefined ? undefined : { bytes: object.bytes, mediaType: object.mediaType, digest: reference.digest }
}

async function loadManifest(context: RepositoryContext, digest: Digest): Promise<CachedObject | undefined> {
  const bytes = context.earlier?.read('manifest', digest, registryLimits.manifest)
  const mediaType = bytes === undefined ? undefined : statedMediaType(bytes)
  if (bytes !== undefined && mediaType !== undefined) return { bytes, mediaType, earlier: true }
  const stored = await againWhenBroken(() => fetchManifest(context, { digest }))
  if (stored !== undefined) context.earlier?.keep('manifest', digest, stored.bytes)
  return stored
}

/** The media type that a manifest gives itself: what a header once said of it was not kept, and without one it is fetched again. */
function statedMediaType(bytes: Uint8Array): string | undefined {
  const value = parseJson(bytes)
  const stated = typeof value === 'object' && value !== null && 'mediaType' in value ? value.mediaType : undefined
  return typeof stated === 'string' ? stated : undefined
}

function request(context: RepositoryContext, method: 'GET' | 'HEAD', reference: ManifestReference): Promise<Answer> {
  const target = `manifests/${referenceText(reference)}`
  return context.session.send({ method, target, actions: 'pull', headers: { accept: manifestTypes.join(', ') } })
}

async function fetchManifest(context: RepositoryContext, reference: ManifestReference): Promise<StoredManifest | undefined> {
  const answer = await request(context, 'GET', reference)
  if (answer.response.status === 404) {
    answer.response.discard()
    return undefined
  }
  if (answer.response.status !== 200) throw await unexpected(answer)
  const bytes = await readBody(answer.response, answer.request, registryLimits.manifest)
  const digest = checkedDigest(context, reference, bytes, header(answer.response, 'docker-content-digest'))
  const mediaType = checkedMediaType(answer, bytes)
  const etag = header(answer.response, 'etag')
  return { bytes, mediaType, digest, ...(etag === undefined ? {} : { etag }) }
}

function checkedDigest(context: RepositoryContext, reference: ManifestReference, bytes: Uint8Array, said: string | undefined): Digest {
  const what = `the manifest ${referenceName(context, reference)}`
  if ('digest' in reference) {
    checkDigest(bytes, reference.digest, what)
    return reference.digest
  }
  const digest = sha256Digest(bytes)
  // A registry that contradicts itself was tampered with, or its answer was.
  if (said?.startsWith('sha256:') === true && said !== digest) throw altered(what, said.slice(0, 80), digest)
  return digest
}

/** The same bytes must not be an image to one reader and an index to another (CVE-2021-41190): header and document have to agree. */
function checkedMediaType(answer: Answer, bytes: Uint8Array): string {
  const mediaType = contentType(answer.response)
  const { value } = parseJsonAs('registry_response_malformed', () => `${describeRequest(answer.request)}: the manifest`, bytes)
  const inside = typeof value === 'object' && value !== null && 'mediaType' in value ? value.mediaType : undefined
  if (mediaType !== '' && (inside === undefined || inside === mediaType)) return mediaType
  throw new CountersignError(
    'registry_response_malformed',
    `${describeRequest(answer.request)}: the manifest contradicts its Content-Type`,
    {
      expected: typeof inside === 'string' ? inside.slice(0, 120) : 'a media type',
      found: mediaType === '' ? 'none' : mediaType.slice(0, 120),
    },
  )
}

function tooLarge(context: RepositoryContext, reference: ManifestReference): CountersignError {
  return new CountersignError(
    'limit_exceeded',
    `the manifest ${referenceName(context, reference)} is larger than ${registryLimits.manifest} bytes`,
  )
}
