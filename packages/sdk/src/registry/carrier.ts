/** Moves blobs into a registry as streams, or from a repository beside it without moving bytes (distribution-spec 1.1, end-4 to end-6, end-11). */
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError, type FailureCode } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import { contentLength, header } from '../http/message.ts'
import { locationOf } from './redirect.ts'
import type { Carrier } from './repository.ts'
import { unexpected, type RepositoryContext } from './repository-context.ts'
import { verifiedStream } from './verified-stream.ts'
import { confirm, openUpload, rejected } from './writes.ts'

type Wanted = Pick<Descriptor, 'digest' | 'size'>

const attempts = 4

/** Makes the carrier of a registry's repository. */
export function createRegistryCarrier(context: RepositoryContext): Carrier {
  return {
    hasBlob: (wanted) => holds(context, wanted),
    putStream: (wanted, open) => putStream(context, wanted, open),
    mount: (wanted, from) => mount(context, wanted, from),
  }
}

/** A blob of another size is not the one that is wanted, whatever its name. */
async function holds({ session }: RepositoryContext, { digest, size }: Wanted): Promise<boolean> {
  const answer = await session.send({ method: 'HEAD', target: `blobs/${digest}`, actions: 'pull,push' })
  answer.response.discard()
  if (answer.response.status === 404) return false
  if (answer.response.status !== 200) throw await unexpected(answer)
  return (contentLength(answer.response) ?? size) === size
}

const passing: ReadonlySet<FailureCode> = new Set(['registry_unreachable', 'registry_failed', 'registry_throttled', 'write_rejected'])

/** An upload that broke off is begun again from its first byte: sessions cannot be relied on to tell what they hold. */
async function putStream(context: RepositoryContext, wanted: Wanted, open: () => AsyncIterable<Uint8Array>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await upload(context, wanted, open)
    } catch (cause) {
      if (!(cause instanceof CountersignError) || !passing.has(cause.code) || attempt === attempts) throw cause
      await sleep(Math.random() * 100 * 2 ** attempt)
      if (await holds(context, wanted)) return
    }
  }
}

async function upload(context: RepositoryContext, wanted: Wanted, open: () => AsyncIterable<Uint8Array>): Promise<void> {
  const what = `the blob ${wanted.digest} on its way to ${context.session.name}`
  // The source answers before the upload takes a place in the queue of its host, which may be the same host.
  await using source = await beginReading(verifiedStream(open(), wanted, what))
  const start = await openUpload(context)
  if (start.response.status !== 202) throw await rejected(start)
  start.response.discard()
  const target = locationOf(header(start.response, 'location'), start.request.url)
  target.searchParams.set('digest', wanted.digest)
  const answer = await context.session.send({
    method: 'PUT',
    target,
    actions: 'pull,push',
    headers: { 'content-type': 'application/octet-stream' },
    stream: { length: wanted.size, parts: source.parts },
  })
  if (answer.response.status !== 201) throw await rejected(answer)
  answer.response.discard()
  confirm(answer, wanted.digest)
}

/**
 * A stream whose first part has arrived, one part behind its source: the last part is handed out only after the source has ended, and with it
 * the check of the whole. Content that is not what its digest says never becomes a complete request.
 */
async function beginReading(stream: AsyncIterable<Uint8Array>): Promise<AsyncDisposable & { readonly parts: AsyncIterable<Uint8Array> }> {
  const iterator = stream[Symbol.asyncIterator]()
  const first = await iterator.next()
  let begun = false
  async function* behind(): AsyncGenerator<Uint8Array> {
    let held = first
    while (held.done !== true) {
      // The source may fill the same memory again.
      const part = new Uint8Array(held.value)
      held = await iterator.next()
      yield part
    }
  }
  const parts: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => {
      // A token that ended on the way: the upload is begun again from the source.
      if (begun) throw new CountersignError('registry_unreachable', 'the registry asked for an upload a second time')
      begun = true
      return behind()
    },
  }
  return { parts, [Symbol.asyncDispose]: async () => void (await iterator.return?.()) }
}

/** The upload session that a registry opens where it cannot mount is left to end by itself. */
async function mount({ session }: RepositoryContext, { digest }: Wanted, from: string): Promise<boolean> {
  const [own, other] = [splitName(session.name), splitName(from)]
  if (own.registry !== other.registry || own.repository === other.repository) return false
  const query = new URLSearchParams({ mount: digest, from: other.repository })
  try {
    const answer = await session.send({
      method: 'POST',
      target: `blobs/uploads/?${query.toString()}`,
      actions: 'pull,push',
      repeatable: true,
      body: new Uint8Array(),
    })
    answer.response.discard()
    if (answer.response.status !== 201) return false
    confirm(answer, digest)
    return true
  } catch (cause) {
    // Who may not mount may still upload; what else is wrong the upload will meet too.
    if (cause instanceof CountersignError && cause.code === 'registry_unauthorized') return false
    throw cause
  }
}

function splitName(name: string): { readonly registry: string; readonly repository: string } {
  const slash = name.indexOf('/')
  return { registry: name.slice(0, slash), repository: name.slice(slash + 1) }
}
