/** Manifests, tags and referrers (distribution-spec 1.1: end-3, end-7 to end-9, end-12). */
import { CountersignError } from '@countersign/core/failure'
import { parseManifest } from '@countersign/core/oci/manifest'
import type { ImageIndex, ImageManifest } from '@countersign/core/oci/model'
import { digestOf, matchesDigest, type ManifestRecord } from './content.ts'
import { errorReply, jsonReply, type RegistryReply, type RouteContext } from './exchange.ts'

const indexType = 'application/vnd.oci.image.index.v1+json'
const maxManifest = 4 * 1024 * 1024

/** `/v2/NAME/manifests/REFERENCE`. */
export function manifestRoute(context: RouteContext): RegistryReply {
  switch (context.request.method) {
    case 'GET':
    case 'HEAD':
      return readManifest(context)
    case 'PUT':
      return writeManifest(context)
    case 'DELETE':
      return deleteManifest(context)
    default:
      return errorReply(405, 'UNSUPPORTED')
  }
}

function find({ content, repository, rest }: RouteContext): { readonly digest: string; readonly record: ManifestRecord } | undefined {
  const there = content.repositories.get(repository)
  const digest = rest.includes(':') ? rest : there?.tags.get(rest)
  const record = digest === undefined ? undefined : there?.manifests.get(digest)
  return digest === undefined || record === undefined ? undefined : { digest, record }
}

function readManifest(context: RouteContext): RegistryReply {
  const found = find(context)
  if (found === undefined) return errorReply(404, 'MANIFEST_UNKNOWN')
  const { digest, record } = found
  const headers = { 'content-type': record.mediaType, 'docker-content-digest': digest, etag: `"${digest}"` }
  return { status: 200, headers, body: record.bytes }
}

function writeManifest(context: RouteContext): RegistryReply {
  const { content, behaviour, request, repository, rest } = context
  if (request.body.length > maxManifest) return errorReply(413, 'SIZE_INVALID')
  if (rest.includes(':') && !matchesDigest(rest, request.body)) return errorReply(400, 'DIGEST_INVALID')
  const mediaType = request.headers['content-type'] ?? ''
  const manifest = parse(request.body, mediaType)
  if (manifest === undefined) return errorReply(400, 'MANIFEST_INVALID')
  if (lacksContent(context, manifest)) return errorReply(404, 'MANIFEST_BLOB_UNKNOWN')
  if (behaviour.conditionalWrites && !conditionHolds(context)) return errorReply(412, 'DENIED', 'precondition failed')
  const digest = content.putManifest(repository, request.body, mediaType, rest)
  const subject = behaviour.referrers && manifest.subject !== undefined ? { 'oci-subject': manifest.subject.digest } : {}
  const headers = { location: `/v2/${repository}/manifests/${digest}`, 'docker-content-digest': digest, ...subject }
  return { status: 201, headers }
}

function parse(bytes: Uint8Array, mediaType: string): ImageIndex | ImageManifest | undefined {
  try {
    return parseManifest(bytes, mediaType)
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    return undefined
  }
}

/** Everything but the subject must be there first. */
function lacksContent({ content, repository }: RouteContext, manifest: ImageIndex | ImageManifest): boolean {
  const { blobs, manifests } = content.repository(repository)
  if (manifest.kind === 'index') return manifest.manifests.some(({ digest }) => !manifests.has(digest))
  return [manifest.config, ...manifest.layers].some(({ digest }) => !blobs.has(digest))
}

function conditionHolds(context: RouteContext): boolean {
  const current = find(context)?.digest
  const match = context.request.headers['if-match']
  const noneMatch = context.request.headers['if-none-match']
  if (match !== undefined && match !== `"${current ?? ''}"`) return false
  return noneMatch !== '*' || current === undefined
}

function deleteManifest(context: RouteContext): RegistryReply {
  const found = find(context)
  if (found === undefined) return errorReply(404, 'MANIFEST_UNKNOWN')
  const { manifests, tags } = context.content.repository(context.repository)
  if (!context.rest.includes(':')) {
    tags.delete(context.rest)
    return { status: 202 }
  }
  manifests.delete(found.digest)
  for (const [tag, digest] of tags) if (digest === found.digest) tags.delete(tag)
  return { status: 202 }
}

/** `/v2/NAME/tags/list`. */
export function tagsRoute({ content, behaviour, request, repository }: RouteContext): RegistryReply {
  const there = content.repositories.get(repository)
  if (there === undefined) return errorReply(404, 'NAME_UNKNOWN')
  const last = request.query.get('last') ?? ''
  const asked = Number(request.query.get('n') ?? behaviour.tagPageSize)
  const size = Math.min(asked, behaviour.tagPageSize)
  const after = [...there.tags.keys()].sort(byBytes).filter((tag) => last === '' || byBytes(tag, last) > 0)
  const tags = after.slice(0, size)
  const more = size > 0 && after.length > tags.length
  const next = `/v2/${repository}/tags/list?n=${asked}&last=${encodeURIComponent(tags.at(-1) ?? '')}`
  return jsonReply(200, { name: repository, tags }, more ? { link: `<${next}>; rel="next"` } : {})
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** `/v2/NAME/referrers/DIGEST`. */
export function referrersRoute({ content, behaviour, request, repository, rest: subject }: RouteContext): RegistryReply {
  if (!behaviour.referrers)
    return { status: 404, headers: { 'content-type': 'text/plain' }, body: new TextEncoder().encode('404 page not found\n') }
  if (!/^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$/.test(subject)) return errorReply(400, 'DIGEST_INVALID')
  const wanted = request.query.get('artifactType')
  const all = [...(content.repositories.get(repository)?.manifests.values() ?? [])]
    .map((record) => describeReferrer(record, subject))
    .filter((descriptor) => descriptor !== undefined && (wanted === null || descriptor['artifactType'] === wanted))
  const start = Number(request.query.get('start') ?? 0)
  const end = start + behaviour.referrersPageSize
  const index = { schemaVersion: 2, mediaType: indexType, manifests: all.slice(start, end) }
  const more = { link: `</v2/${repository}/referrers/${subject}?start=${end}>; rel="next"` }
  const filtered = { 'oci-filters-applied': 'artifactType' }
  const headers = { 'content-type': indexType, ...(end < all.length ? more : {}), ...(wanted === null ? {} : filtered) }
  return jsonReply(200, index, headers)
}

function describeReferrer(record: ManifestRecord, subject: string): Readonly<Record<string, unknown>> | undefined {
  const manifest = parse(record.bytes, record.mediaType)
  if (manifest?.subject?.digest !== subject) return undefined
  const artifactType = manifest.artifactType ?? (manifest.kind === 'manifest' ? manifest.config.mediaType : undefined)
  const { annotations } = manifest
  return { mediaType: record.mediaType, digest: digestOf(record.bytes), size: record.bytes.length, artifactType, annotations }
}
