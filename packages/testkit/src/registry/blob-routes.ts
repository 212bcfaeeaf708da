/** Blobs and upload sessions (distribution-spec 1.1: end-2, end-4 to end-6, end-10, end-11, end-13). */
import { randomUUID } from 'node:crypto'
import { concatBytes } from '@countersign/core/bytes'
import { matchesDigest } from './content.ts'
import { errorReply, type RegistryReply, type RouteContext } from './exchange.ts'

/** `/v2/NAME/blobs/DIGEST`. */
export function blobRoute({ content, behaviour, request, repository, rest: digest }: RouteContext): RegistryReply {
  const bytes = content.repositories.get(repository)?.blobs.get(digest)
  if (bytes === undefined) return errorReply(404, 'BLOB_UNKNOWN')
  if (request.method === 'DELETE') {
    content.repository(repository).blobs.delete(digest)
    return { status: 202 }
  }
  if (request.method === 'GET' && behaviour.blobRedirect !== undefined) {
    return { status: 307, headers: { location: behaviour.blobRedirect(repository, digest) } }
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return errorReply(405, 'UNSUPPORTED')
  return { status: 200, headers: { 'content-type': 'application/octet-stream', 'docker-content-digest': digest }, body: bytes }
}

/** `/v2/NAME/blobs/uploads/[SESSION]`. */
export function uploadRoute(context: RouteContext): RegistryReply {
  const { request, rest: session } = context
  if (session === '') return request.method === 'POST' ? startUpload(context) : errorReply(405, 'UNSUPPORTED')
  const sofar = context.uploads.get(session)
  if (sofar === undefined) return errorReply(404, 'BLOB_UPLOAD_UNKNOWN')
  switch (request.method) {
    case 'GET':
      return { status: 204, headers: sessionHeaders(context, session) }
    case 'DELETE':
      context.uploads.delete(session)
      return { status: 204 }
    case 'PATCH':
      return appendChunk(context, session, sofar)
    case 'PUT':
      return finishUpload(context, session, sofar)
    default:
      return errorReply(405, 'UNSUPPORTED')
  }
}

function startUpload(context: RouteContext): RegistryReply {
  const { content, request, repository, uploads } = context
  const mount = request.query.get('mount')
  const source = content.repositories.get(request.query.get('from') ?? '')?.blobs.get(mount ?? '')
  if (mount !== null && source !== undefined) return stored(context, content.putBlob(repository, source, mount))
  const digest = request.query.get('digest')
  if (digest !== null) return storeBlob(context, digest, request.body)
  const session = randomUUID()
  uploads.set(session, new Uint8Array())
  return { status: 202, headers: sessionHeaders(context, session) }
}

function appendChunk(context: RouteContext, session: string, sofar: Uint8Array): RegistryReply {
  const { request, uploads } = context
  const start = /^(?:bytes )?([0-9]+)-[0-9]+$/.exec(request.headers['content-range'] ?? '')?.[1]
  if (start !== undefined && Number(start) !== sofar.length) return { status: 416, headers: sessionHeaders(context, session) }
  uploads.set(session, concatBytes(sofar, request.body))
  return { status: 202, headers: sessionHeaders(context, session) }
}

function finishUpload(context: RouteContext, session: string, sofar: Uint8Array): RegistryReply {
  const digest = context.request.query.get('digest')
  if (digest === null) return errorReply(400, 'DIGEST_INVALID')
  const reply = storeBlob(context, digest, concatBytes(sofar, context.request.body))
  if (reply.status === 201) context.uploads.delete(session)
  return reply
}

function storeBlob(context: RouteContext, digest: string, bytes: Uint8Array): RegistryReply {
  if (!matchesDigest(digest, bytes)) return errorReply(400, 'DIGEST_INVALID')
  return stored(context, context.content.putBlob(context.repository, bytes, digest))
}

function stored({ repository }: RouteContext, digest: string): RegistryReply {
  return { status: 201, headers: { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest } }
}

function sessionHeaders({ repository, uploads }: RouteContext, session: string): Readonly<Record<string, string>> {
  const length = uploads.get(session)?.length ?? 0
  return {
    location: `/v2/${repository}/blobs/uploads/${session}`,
    range: `0-${Math.max(0, length - 1)}`,
    'docker-upload-uuid': session,
  }
}
