/** One HTTP client per run: deadline, slots per host, retries with jitter, failures as the platform's codes. */
import { pause, type Deadline } from './deadline.ts'
import { bodyBrokenOff, failureOfExchange, isTransient } from './failures.ts'
import { header, isRepeatable, type HttpRequest, type HttpResponse, type Transport } from './message.ts'
import { createSlots, type Slots } from './slots.ts'

/** Sends requests for one run. */
export type HttpClient = {
  /** Sends a request, again where that is safe and useful. Answers of any status are returned; only a failed exchange throws. */
  readonly send: (request: HttpRequest) => Promise<HttpResponse>
  readonly deadline: Deadline
  readonly close: () => void
}

/** How a client behaves. */
export type HttpClientOptions = {
  readonly transport: Transport
  readonly deadline: Deadline
  /** Requests at the same time per host. */
  readonly parallelism: number
  /** Attempts after the first; default 3. */
  readonly retries?: number
  /** Upper bound of the first wait in milliseconds, doubled with each attempt; default 250. */
  readonly retryDelayMs?: number
  /** Uniform in [0, 1): spreads the waits of many clients. */
  readonly random: () => number
}

const retriable: ReadonlySet<number> = new Set([429, 502, 503, 504])
const maxBackoffMs = 10_000

/** Makes a client. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { transport, deadline } = options
  const hosts = new Map<string, Slots>()
  const slotsOf = (host: string): Slots => {
    const known = hosts.get(host) ?? createSlots(options.parallelism)
    hosts.set(host, known)
    return known
  }
  const attempt = async (request: HttpRequest): Promise<HttpResponse> => {
    let release: (() => void) | undefined
    try {
      deadline.signal.throwIfAborted()
      release = await slotsOf(request.url.host).take(deadline.signal)
      const response = await transport.send(request, deadline.signal)
      if (request.longBody === true) release()
      return withReleasedBody(response, request, deadline, release)
    } catch (error) {
      release?.()
      throw error
    }
  }
  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    const attempts = isRepeatable(request) ? (options.retries ?? 3) : 0
    for (let tried = 0; ; tried++) {
      const outcome = await settle(attempt(request))
      const wait = tried < attempts ? waitBefore(request, outcome, tried, options) : undefined
      if (wait === undefined || wait >= deadline.remainingMs()) {
        if ('response' in outcome) return outcome.response
        throw failureOfExchange(outcome.error, request, deadline)
      }
      if ('response' in outcome) outcome.response.discard()
      await pause(wait, deadline)
    }
  }
  return {
    send,
    deadline,
    close: () => {
      deadline.cancel()
      transport.close()
    },
  }
}

type Settled = { readonly response: HttpResponse } | { readonly error: unknown }

async function settle(promise: Promise<HttpResponse>): Promise<Settled> {
  try {
    return { response: await promise }
  } catch (error) {
    return { error }
  }
}

/** Milliseconds to wait before the next attempt; `undefined` when another attempt is pointless. */
function waitBefore(request: HttpRequest, outcome: Settled, tried: number, options: HttpClientOptions): number | undefined {
  const backoff = Math.min((options.retryDelayMs ?? 250) * 2 ** tried, maxBackoffMs) * (0.5 + options.random() / 2)
  if ('error' in outcome) return request.probing !== true && isTransient(outcome.error) ? backoff : undefined
  if (!retriable.has(outcome.response.status)) return undefined
  return Math.max(retryAfterMs(header(outcome.response, 'retry-after')) ?? 0, backoff)
}

/** `Retry-After` (RFC 9110 §10.2.3) in milliseconds: seconds, or a date, which counts from this machine's clock. */
export function retryAfterMs(text: string | undefined, nowMs: number = Date.now()): number | undefined {
  if (text === undefined) return undefined
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000
  // Date.parse takes far more than HTTP dates, "-1" among it.
  const date = /^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}

/** The same answer, whose slot is freed when its body ends in any way, and whose broken body is a failure of the platform. */
function withReleasedBody(response: HttpResponse, request: HttpRequest, deadline: Deadline, release: () => void): HttpResponse {
  return {
    ...response,
    body: readAndRelease(response.body, request, deadline, release),
    discard: () => {
      release()
      response.discard()
    },
  }
}

/** Not a generator: handing on what another one gives costs several turns of the queue for each part. */
function readAndRelease(
  body: AsyncIterable<Uint8Array>,
  request: HttpRequest,
  deadline: Deadline,
  release: () => void,
): AsyncIterable<Uint8Array> {
  const begin = (): AsyncIterator<Uint8Array, undefined> => {
    const parts = body[Symbol.asyncIterator]()
    return {
      next: async () => {
        try {
          const part = await parts.next()
          if (part.done !== true) return part
          release()
          return { done: true, value: undefined }
        } catch (error) {
          release()
          throw bodyBrokenOff(error, request, deadline)
        }
      },
      return: async () => {
        release()
        await parts.return?.()
        return { done: true, value: undefined }
      },
    }
  }
  return { [Symbol.asyncIterator]: begin }
}
