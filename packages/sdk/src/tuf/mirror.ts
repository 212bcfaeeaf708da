/** A TUF mirror: https, http on loopback, or a folder. Every answer is bounded in bytes and time, and nothing but the mirror is asked. */
import { fileURLToPath } from 'node:url'
import { CountersignError } from '@countersign/core/failure'
import { isLoopbackHost } from '../http/address.ts'
import type { HttpClient } from '../http/client.ts'
import type { HttpRequest } from '../http/message.ts'
import { readBoundedFile } from '../bounded-file.ts'

/** Reads from a mirror. */
export type MirrorReader = {
  /** The whole content of a URL, at most `maxBytes`; `undefined` when it is not there. Throws `limit_exceeded`, `tuf_unreachable`. */
  readonly read: (url: string, maxBytes: number) => Promise<Uint8Array | undefined>
  readonly close: () => void
}

/** How to reach it. */
export type MirrorOptions = {
  /** For `HTTPS_PROXY` and its kin. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** For everything together, milliseconds; default 180,000. */
  readonly deadlineMs?: number
  readonly userAgent?: string
  /** What tests turn. */
  readonly retries?: number
}

/**
 * Checks a URL of a mirror or root: https, `file:///…`, or http on this machine; no user name. Gives it without `/` at the end.
 * Throws `usage`, `insecure_transport`.
 */
export function parseMirrorUrl(text: string, what: string): string {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new CountersignError('usage', `${what} is not a URL without user name and query`, {
      expected: 'https://host/path or file:///path',
      found: JSON.stringify(text.slice(0, 120)),
    })
  }
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) {
    throw new CountersignError('insecure_transport', `${what} is never read over plain http`, {
      expected: 'https',
      found: url.host,
      hint: 'Use https, or copy the mirror and name the copy with file:///path.',
    })
  }
  if (!['https:', 'http:', 'file:'].includes(url.protocol)) {
    throw new CountersignError('usage', `${what} has the scheme ${url.protocol}`, { expected: 'https://host/path or file:///path' })
  }
  if (url.protocol === 'file:' && (url.host !== '' || /%(?:2f|00)/i.test(url.pathname))) {
    throw new CountersignError('usage', `${what} names no file of this machine`, { expected: 'file:///path', found: text.slice(0, 120) })
  }
  return text.replace(/\/+$/, '')
}

/** Opens a mirror. Nothing is loaded or connected before the first read of an http URL. */
export function openMirror(options: MirrorOptions): MirrorReader {
  let client: Promise<HttpClient> | undefined
  return {
    read: (url, maxBytes) => {
      if (url.startsWith('file:')) return readFileUrl(url, maxBytes)
      client ??= connect(options)
      return client.then((known) => download(known, url, maxBytes, options.userAgent ?? 'countersign'))
    },
    close: () => {
      client?.then(
        (known) => known.close(),
        () => undefined,
      )
    },
  }
}

async function connect({ environment, deadlineMs = 180_000, retries }: MirrorOptions): Promise<HttpClient> {
  const [{ createHttpClient }, { createTransport }, { startDeadline }] = await Promise.all([
    import('../http/client.ts'),
    import('../http/transport.ts'),
    import('../http/deadline.ts'),
  ])
  return createHttpClient({
    transport: createTransport({ environment }),
    deadline: startDeadline(deadlineMs),
    parallelism: 4,
    random: Math.random,
    ...(retries === undefined ? {} : { retries }),
  })
}

async function download(client: HttpClient, url: string, maxBytes: number, userAgent: string): Promise<Uint8Array | undefined> {
  const [{ readBody, againWhenBroken }, { failureOfStatus, hintForAddress }] = await Promise.all([
    import('../http/body.ts'),
    import('../http/failures.ts'),
  ])
  const request: HttpRequest = { method: 'GET', url: new URL(url), headers: { 'user-agent': userAgent } }
  try {
    return await againWhenBroken(async () => {
      const response = await client.send(request)
      if (response.status === 200) return readBody(response, request, maxBytes)
      response.discard()
      // go-tuf takes both for "not there": object stores say 403 for a name that does not exist. A mirror that hides what it has this way
      // gains nothing, for what is not renewed expires.
      if (response.status === 404 || response.status === 403) return undefined
      throw failureOfStatus(request, response.status)
    })
  } catch (cause) {
    throw unreachableMirror(cause, cause instanceof Error ? hintForAddress(request.url, cause.message) : undefined)
  }
}

/** The client speaks of registries; this is none. */
function unreachableMirror(cause: unknown, hint?: string): unknown {
  if (!(cause instanceof CountersignError) || !cause.code.startsWith('registry_')) return cause
  return new CountersignError('tuf_unreachable', `the TUF mirror does not answer as it should: ${cause.message}`, {
    cause,
    hint: hint ?? 'Check the name and the network. Without network, name a copy of the mirror: --mirror file:///path.',
  })
}

async function readFileUrl(url: string, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    return await readBoundedFile(fileURLToPath(url), maxBytes)
  } catch (cause) {
    if (cause instanceof CountersignError && cause.code === 'file_not_found') return undefined
    throw cause
  }
}
