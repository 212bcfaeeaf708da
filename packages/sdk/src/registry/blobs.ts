/** Reads blobs (distribution-spec 1.1, "Pulling blobs"), checked while they stream. */
import { collectBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import { describeRequest } from '../http/failures.ts'
import { againWhenBroken } from '../http/body.ts'
import { contentLength } from '../http/message.ts'
import type { Answer } from './endpoint.ts'
import type { CachedObject } from './object-cache.ts'
import { cacheKey, registryLimits, unexpected, type RepositoryContext } from './repository-context.ts'
import { altered, checkDigest, verifiedStream } from './verified-stream.ts'

type Wanted = Pick<Descriptor, 'digest' | 'size'>

/** Streams a blob. Small ones arrive whole, once per run, and only after they were checked. */
export async function* readBlob(context: RepositoryContext, wanted: Wanted): AsyncIterable<Uint8Array> {
  if (wanted.size > registryLimits.smallBlob) {
    yield* fetchLarge(context, wanted)
    return
  }
  const fetchWhole = async (): Promise<CachedObject> => {
    const earlier = context.earlier?.read('blob', wanted.digest, wanted.size)
    if (earlier?.length === wanted.size) return { bytes: earlier, mediaType: '', earlier: true }
    const bytes = await fetchSmall(context, wanted)
    context.earlier?.keep('blob', wanted.digest, bytes)
    return { bytes, mediaType: '' }
  }
  // A second descriptor may give another size for the same digest; one of the two lies, and the failure is that one's alone.
  const key = `${cacheKey(context, 'blob', wanted.digest)} ${wanted.size}`
  const object = await context.cache.get(key, () => againWhenBroken(fetchWhole))
  if (object === undefined) return
  yield object.bytes
}

/** Not as a stream: a stream of streams costs more than what is in most signatures. */
async function fetchSmall(context: RepositoryContext, wanted: Wanted): Promise<Uint8Array> {
  const { response } = await requestBlob(context, wanted, false)
  const collected = collectBytes()
  let length = 0
  for await (const part of response.body) {
    length += part.length
    if (length > wanted.size) throw altered(nameOf(context, wanted), `${wanted.size} bytes`, 'more')
    collected.add(part)
  }
  if (length !== wanted.size) throw altered(nameOf(context, wanted), `${wanted.size} bytes`, `${length} bytes`)
  const bytes = collected.join()
  checkDigest(bytes, wanted.digest, nameOf(context, wanted))
  return bytes
}

async function* fetchLarge(context: RepositoryContext, wanted: Wanted): AsyncIterable<Uint8Array> {
  const { response } = await requestBlob(context, wanted, true)
  yield* verifiedStream(response.body, wanted, nameOf(context, wanted))
}

async function requestBlob(context: RepositoryContext, wanted: Wanted, longBody: boolean): Promise<Answer> {
  const answer = await context.session.send({ method: 'GET', target: `blobs/${wanted.digest}`, actions: 'pull', longBody })
  const { request, response } = answer
  if (response.status === 404) {
    response.discard()
    throw new CountersignError(
      'registry_response_malformed',
      `${describeRequest(request)}: the registry lacks content that one of its manifests names`,
    )
  }
  if (response.status !== 200) throw await unexpected(answer)
  const announced = contentLength(response)
  if (announced !== undefined && announced !== wanted.size) {
    response.discard()
    throw altered(nameOf(context, wanted), `${wanted.size} bytes`, `${announced} bytes`)
  }
  return answer
}

function nameOf(context: RepositoryContext, wanted: Wanted): string {
  return `the blob ${context.session.name}@${wanted.digest}`
}
