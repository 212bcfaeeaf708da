/** Writes blobs and manifests (distribution-spec 1.1, "Pushing"), each confirmed by the registry before it counts. */
import { parseDigest, type Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { parseJson } from '@countersign/core/json/parse'
import { describeRequest } from '../http/failures.ts'
import { header } from '../http/message.ts'
import type { Answer } from './endpoint.ts'
import { errorText } from './error-body.ts'
import { locationOf } from './redirect.ts'
import type { ManifestReference, PutBlobOptions, WriteCondition, WriteResult } from './repository.ts'
import { cacheKey, referenceText, unexpected, type RepositoryContext } from './repository-context.ts'
import { digestToWrite, sha256Digest } from './verified-stream.ts'

const uploadAttempts = 3

/** Uploads a blob in one PUT unless the repository has it, which a new one is not asked for; returns once the registry confirmed it. */
export async function putBlob(context: RepositoryContext, bytes: Uint8Array, options: PutBlobOptions = {}): Promise<Digest> {
  const digest = sha256Digest(bytes)
  if (options.isNew !== true && (await hasBlob(context, digest))) return digest
  for (let attempt = 1; ; attempt++) {
    const answer = await upload(context, bytes, digest, options.isNew === true ? takeExpected(context) : undefined)
    if (answer.response.status === 201) {
      answer.response.discard()
      confirm(answer, digest)
      return digest
    }
    // The session ended before its PUT arrived a second time: either the first one did all, or another session is needed.
    const sessionGone = answer.response.status === 404 && attempt < uploadAttempts
    if (!sessionGone) throw await rejected(answer)
    answer.response.discard()
    if (await hasBlob(context, digest)) return digest
  }
}

async function hasBlob(context: RepositoryContext, digest: Digest): Promise<boolean> {
  const answer = await context.session.send({ method: 'HEAD', target: `blobs/${digest}`, actions: 'pull,push' })
  answer.response.discard()
  if (answer.response.status === 200) return true
  if (answer.response.status === 404) return false
  throw await unexpected(answer)
}

/** Opens the upload session of a blob to come. A registry ends by itself a session that is never used. */
export function expectBlob(context: RepositoryContext): void {
  const expected = (context.uploads.expected ??= openUpload(context))
  // Its failure is met by whoever takes the session.
  expected.catch(() => undefined)
}

/** An upload session takes one blob. */
function takeExpected({ uploads }: RepositoryContext): Promise<Answer> | undefined {
  const { expected } = uploads
  delete uploads.expected
  return expected
}

/** Opens an upload session. Repeatable though it is a POST: an upload session that nobody uses is all that a second one leaves. */
export function openUpload({ session }: RepositoryContext): Promise<Answer> {
  return session.send({ method: 'POST', target: 'blobs/uploads/', actions: 'pull,push', repeatable: true, body: new Uint8Array() })
}

async function upload(context: RepositoryContext, bytes: Uint8Array, digest: Digest, expected?: Promise<Answer>): Promise<Answer> {
  const { session } = context
  const start = await (expected ?? openUpload(context))
  if (start.response.status !== 202) throw await rejected(start)
  start.response.discard()
  const target = locationOf(header(start.response, 'location'), start.request.url)
  target.searchParams.set('digest', digest)
  const headers = { 'content-type': 'application/octet-stream' }
  return session.send({ method: 'PUT', target, actions: 'pull,push', headers, body: bytes })
}

/** Stores a manifest. `condition` travels as `If-Match` or `If-None-Match: *`; a registry without compare-and-swap ignores it. */
export async function putManifest(
  context: RepositoryContext,
  reference: ManifestReference,
  bytes: Uint8Array,
  mediaType: string,
  condition?: WriteCondition,
): Promise<WriteResult> {
  const digest = digestToWrite(reference, bytes)
  const answer = await context.session.send({
    method: 'PUT',
    target: `manifests/${referenceText(reference)}`,
    actions: 'pull,push',
    headers: { 'content-type': mediaType, ...conditionHeaders(condition) },
    body: bytes,
  })
  // Whoever reads it back must hear it from the registry.
  context.cache.forget(cacheKey(context, 'manifest', digest))
  if (answer.response.status === 412) {
    answer.response.discard()
    return { kind: 'precondition_failed' }
  }
  if (answer.response.status !== 201) throw await rejected(answer)
  answer.response.discard()
  confirm(answer, digest)
  const subject = subjectOf(bytes)
  return { kind: 'written', digest, subjectListed: subject !== undefined && header(answer.response, 'oci-subject') === subject }
}

/** Deletes a manifest by digest, or a tag. What is not there is deleted already. */
export async function deleteManifest(context: RepositoryContext, reference: ManifestReference): Promise<void> {
  const target = `manifests/${referenceText(reference)}`
  const answer = await context.session.send({ method: 'DELETE', target, actions: 'pull,push,delete' })
  if ('digest' in reference) context.cache.forget(cacheKey(context, 'manifest', reference.digest))
  if (![200, 202, 204, 404].includes(answer.response.status)) throw await rejected(answer)
  answer.response.discard()
}

function conditionHeaders(condition: WriteCondition | undefined): Readonly<Record<string, string>> {
  if (condition === undefined) return {}
  return condition.kind === 'if_match' ? { 'if-match': condition.etag } : { 'if-none-match': '*' }
}

/** A registry that says it stored something else did not store this: throws `write_not_confirmed`. */
export function confirm(answer: Answer, digest: Digest): void {
  const said = parseDigest(header(answer.response, 'docker-content-digest') ?? '')
  if (said === undefined || said === digest || said.slice(0, 6) !== digest.slice(0, 6)) return
  throw new CountersignError('write_not_confirmed', `${describeRequest(answer.request)}: the registry stored something else`, {
    expected: digest,
    found: said,
  })
}

function subjectOf(bytes: Uint8Array): string | undefined {
  const manifest = parseJson(bytes) as { readonly subject?: { readonly digest?: unknown } | null } | null
  const digest = manifest?.subject?.digest
  return typeof digest === 'string' ? digest : undefined
}

/** A write that was refused, as a failure with what the registry says about it. Ends the body. */
export async function rejected(answer: Answer): Promise<CountersignError> {
  const { status } = answer.response
  if (status >= 500 || status === 429) return unexpected(answer)
  const said = await errorText(answer)
  const code = status < 400 ? 'write_not_confirmed' : 'write_rejected'
  return new CountersignError(code, `${describeRequest(answer.request)}: HTTP ${status}${said === '' ? '' : `: ${said}`}`)
}
