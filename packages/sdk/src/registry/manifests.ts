/** Reads manifests (distribution-spec 1.1, "Pulling manifests"). */
import { parseDigest, type Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import type { Descriptor } from '@countersign/core/oci/model'
import { againWhenBroken, readBody } from '../http/body.ts'
import { describeRequest } from '../http/failures.ts'
import { contentLength, contentType, header } from '../http/message.ts'
import type { Answer } from './endpoint.ts'
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
 * Digest, size and media type. By digest a HEAD is enough: its answer cannot change what the digest names. By tag the HEAD only says where
 * the tag points; the manifest is then fetched by that digest and hashed (once per run), because a header proves nothing.
 */
export async function resolveManifest(context: RepositoryContext, reference: ManifestReference): Promise<Descriptor | undefined> {
  if ('digest' in reference) {
    const kept = context.cache.peek(cacheKey(context, 'manifest', reference.digest))
    if (kept !== undefined) return cachedDescriptor(kept, reference.digest)
  }
  const answer = await request(context, 'HEAD', reference)
  answer.response.discard()
  if (answer.response.status === 404) return undefined
  // A few registries know no HEAD.
  if (answer.response.status === 405) return describe(await readManifest(context, reference))
  if (answer.response.status !== 200) throw await unexpected(answer)
  const size = contentLength(answer.response)
  const mediaType = contentType(answer.response)
  if (size !== undefined && size > registryLimits.manifest) throw tooLarge(context, reference)
  if ('digest' in reference && size !== undefined && size > 0 && mediaType !== '') return { mediaType, digest: reference.digest, size }
  const digest = 'digest' in reference ? reference.digest : parseDigest(header(answer.response, 'docker-content-digest') ?? '')
  // A tag that moved or vanished between the two requests is read again by its name.
  const stored = (digest === undefined ? undefined : await readManifest(context, { digest })) ?? (await readManifest(context, reference))
  return describe(stored)
}

function describe(stored: StoredManifest | undefined): Descriptor | undefined {
  return stored === undefined ? undefined : { mediaType: stored.mediaType, digest: stored.digest, size: stored.bytes.length }
}

/** A manifest's bytes, at most 4 MiB, hashed. By digest each is fetched once per run; a tag is always asked for anew. */
export async function readManifest(context: RepositoryContext, reference: ManifestReference): Promise<StoredManifest | undefined> {
  if ('tag' in reference) {
    const stored = await againWhenBroken(() => fetchManifest(context, reference))
    if (stored !== undefined) context.cache.keep(cacheKey(context, 'manifest', stored.digest), stored)
    return stored
  }
  const object = await context.cache.get(cacheKey(context, 'manifest', reference.digest), () =>
    againWhenBroken(() => fetchManifest(context, reference)),
  )
  return object === undefined ? undefined : { bytes: object.bytes, mediaType: object.mediaType, digest: reference.digest }
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
  const { value } = parseJsonAs('registry_response_malformed', `${describeRequest(answer.request)}: the manifest`, bytes)
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
