/**
 * What a run asks of the world, told to whoever wants to know: every request, every object that needed none, every read of a layout. Nothing
 * of it is loaded or done where nobody asked for it.
 */
import { CountersignError } from '@countersign/core/failure'
import type { HttpClient } from './http/client.ts'
import type { HttpRequest, HttpResponse } from './http/message.ts'
import { redactUrl } from './http/redact.ts'
import { purposeOf } from './purpose.ts'
import type { ObjectCache } from './registry/object-cache.ts'
import type { ManifestReference, Repository } from './registry/repository.ts'

/** One thing that was asked. Hostile text in it is cut and printable; it holds no credential, header or query that is one. */
export type TraceEvent =
  | {
      /** A request that was answered or failed, with all attempts. `bytes` counts what was read of the body. */
      readonly kind: 'request'
      readonly method: string
      /** Redacted: no user information, unknown query values replaced. */
      readonly url: string
      readonly host: string
      readonly purpose: string
      readonly status?: number
      readonly bytes: number
      /** Milliseconds until the end of the body. */
      readonly ms: number
      /** Code of the failure, where there was no answer. */
      readonly failure?: string
    }
  /** An object that was at hand already. */
  | { readonly kind: 'reused'; readonly purpose: string; readonly bytes: number }
  /** A read of a layout or an archive. */
  | {
      readonly kind: 'read'
      readonly place: string
      readonly purpose: string
      readonly found: boolean
      readonly bytes: number
      readonly ms: number
      readonly failure?: string
    }

/** Gets each event as soon as it is over. It must not throw. */
export type Trace = (event: TraceEvent) => void

/** Events that were kept, and how many more there were. */
export type TraceLog = {
  readonly trace: Trace
  readonly events: readonly TraceEvent[]
  readonly dropped: () => number
  readonly stop: () => void
}

/** Keeps at most `limit` events. After `stop` it hears nothing. */
export function createTraceLog(limit = 1000): TraceLog {
  const events: TraceEvent[] = []
  const state = { dropped: 0, stopped: false }
  return {
    events,
    dropped: () => state.dropped,
    stop: () => void (state.stopped = true),
    trace: (event) => {
      if (state.stopped) return
      if (events.length < limit) events.push(event)
      else state.dropped++
    },
  }
}

/** A client that tells of each request. */
export function tracedClient(client: HttpClient, trace: Trace): HttpClient {
  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    const start = performance.now()
    const tell = (rest: { readonly status?: number; readonly bytes: number; readonly failure?: string }): void =>
      trace({
        kind: 'request',
        method: request.method,
        url: redactUrl(request.url),
        host: request.url.host,
        purpose: purposeOf(request.method, request.url),
        ms: performance.now() - start,
        ...rest,
      })
    try {
      return withToldBody(await client.send(request), tell)
    } catch (error) {
      tell({ bytes: 0, failure: codeOf(error) })
      throw error
    }
  }
  return { ...client, send }
}

type Tell = (rest: { readonly status: number; readonly bytes: number; readonly failure?: string }) => void

function withToldBody(response: HttpResponse, tell: Tell): HttpResponse {
  const { status } = response
  let told = false
  const once: Tell = (rest) => {
    if (!told) tell(rest)
    told = true
  }
  async function* body(): AsyncIterable<Uint8Array> {
    let bytes = 0
    try {
      for await (const part of response.body) {
        bytes += part.length
        yield part
      }
    } catch (error) {
      once({ status, bytes, failure: codeOf(error) })
      throw error
    } finally {
      once({ status, bytes })
    }
  }
  return {
    ...response,
    body: body(),
    discard: () => {
      once({ status, bytes: 0 })
      response.discard()
    },
  }
}

/** A cache that tells of what it had. */
export function tracedCache(cache: ObjectCache, trace: Trace): ObjectCache {
  return {
    ...cache,
    get: async (key, load) => {
      let asked = false
      const object = await cache.get(key, () => {
        asked = true
        return load()
      })
      if (object !== undefined && !asked)
        trace({ kind: 'reused', purpose: key.includes('blob') ? 'the content of a signature' : 'a manifest', bytes: object.bytes.length })
      return object
    },
  }
}

/** A layout or archive that tells of each read. */
export function tracedRepository(repository: Repository, trace: Trace): Repository {
  const place = repository.name
  const told = async <T>(purpose: string, work: () => Promise<T>, size: (value: T) => number): Promise<T> => {
    const start = performance.now()
    const event = (rest: { readonly found: boolean; readonly bytes: number; readonly failure?: string }): void =>
      trace({ kind: 'read', place, purpose, ms: performance.now() - start, ...rest })
    try {
      const value = await work()
      event({ found: value !== undefined, bytes: value === undefined ? 0 : size(value) })
      return value
    } catch (error) {
      event({ found: false, bytes: 0, failure: codeOf(error) })
      throw error
    }
  }
  return {
    ...repository,
    resolve: (reference) =>
      told(
        `what ${namedIn(reference)} is`,
        () => repository.resolve(reference),
        () => 0,
      ),
    manifest: (reference) =>
      told(
        `the manifest ${namedIn(reference)}`,
        () => repository.manifest(reference),
        (manifest) => manifest?.bytes.length ?? 0,
      ),
    referrers: (subject) =>
      told(
        'what refers to the image',
        () => repository.referrers(subject),
        () => 0,
      ),
    async *blob(descriptor) {
      const start = performance.now()
      let bytes = 0
      for await (const part of repository.blob(descriptor)) {
        bytes += part.length
        yield part
      }
      trace({ kind: 'read', place, purpose: `the blob ${descriptor.digest}`, found: true, bytes, ms: performance.now() - start })
    },
  }
}

function namedIn(reference: ManifestReference): string {
  return 'tag' in reference ? `tag ${reference.tag}` : reference.digest
}

function codeOf(error: unknown): string {
  return error instanceof CountersignError ? error.code : 'failed'
}
