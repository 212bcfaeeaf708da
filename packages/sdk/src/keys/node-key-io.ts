/** The IO of keys on a machine: its files, and https. */
import { CountersignError } from '@countersign/core/failure'
import { readBoundedFile } from '../bounded-file.ts'
import type { HttpClient } from '../http/client.ts'
import type { HttpRequest } from '../http/message.ts'
import type { KeyIo } from './key-reference.ts'

const maxRedirects = 5
const downloadTimeoutMs = 30_000

/** Files of this machine, the environment given, and https (through the proxies that the environment names). */
export function nodeKeyIo(environment: Readonly<Record<string, string | undefined>>): KeyIo {
  return { environment, readFile: readBoundedFile, download: (url, maxBytes) => download(url, maxBytes, environment) }
}

async function download(url: URL, maxBytes: number, environment: Readonly<Record<string, string | undefined>>): Promise<Uint8Array> {
  // Loaded only here: keys in files need no HTTP client.
  const [{ createHttpClient }, { createTransport }, { startDeadline }] = await Promise.all([
    import('../http/client.ts'),
    import('../http/transport.ts'),
    import('../http/deadline.ts'),
  ])
  const client = createHttpClient({
    transport: createTransport({ environment }),
    deadline: startDeadline(downloadTimeoutMs),
    parallelism: 1,
    random: Math.random,
  })
  try {
    return await follow(client, url, maxBytes)
  } finally {
    client.close()
  }
}

async function follow(client: HttpClient, start: URL, maxBytes: number): Promise<Uint8Array> {
  const [{ readBody }, { failureOfStatus }, { header }] = await Promise.all([
    import('../http/body.ts'),
    import('../http/failures.ts'),
    import('../http/message.ts'),
  ])
  let request: HttpRequest = { method: 'GET', url: start }
  for (let redirects = 0; ; redirects++) {
    const response = await client.send(request)
    if (response.status === 200) return readBody(response, request, maxBytes)
    response.discard()
    const location = header(response, 'location')
    const next = response.status >= 300 && response.status < 400 && location !== undefined ? URL.parse(location, request.url.href) : null
    if (next === null || redirects === maxRedirects) throw failureOfStatus(request, response.status)
    // A redirect must not lead to plain http, where anybody can be the server, nor into the network of whoever runs us.
    if (next.protocol !== 'https:' && next.origin !== start.origin) {
      throw new CountersignError('insecure_transport', 'a key is never read over plain http', { found: next.host })
    }
    request = { method: 'GET', url: next, ...(next.origin === start.origin ? {} : { reach: response.remote ?? 'public' }) }
  }
}
