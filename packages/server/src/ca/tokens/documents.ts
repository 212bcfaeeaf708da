/** Fetches the small JSON documents of issuers: bounded in time and size, no redirect to another host, no address that it may not have. */
import { CountersignError } from '@countersign/core/failure'
import { parseJson, type JsonValue } from '@countersign/core/json/parse'
import { request, type Dispatcher } from 'undici'
import { parseHttpUrl } from '../issuers/url.ts'
import { isPublicAddress, literalAddress, type AddressRule } from './addresses.ts'
import type { ProxyEnvironment } from '../../base/http/outgoing.ts'
import { type ConnectionChoice, connections, readServiceAccount } from './connections.ts'

/** How one document is fetched. */
export type DocumentRequest = {
  readonly url: string
  readonly addresses: AddressRule
  /** PEM of the authorities of the server's certificate, in place of the public ones. */
  readonly caCertificates?: string | undefined
  /** True for the API server of the cluster that this pod is in: it may ask who asks. */
  readonly ownCluster?: boolean
}

/** A document and how long its server says that it holds, in seconds. */
export type FetchedDocument = { readonly value: JsonValue; readonly maxAgeSeconds: number | undefined }

/** Fetches documents; rejects with `identity_issuer_unavailable`. */
export type FetchDocument = (wanted: DocumentRequest) => Promise<FetchedDocument>

const timeoutMs = 8_000
const maxBytes = 256 * 1024
const maxRedirects = 3

/** Beside what is asked for. */
export type FetcherOptions = {
  readonly environment?: ProxyEnvironment
  /** Folder of the service account with which this pod asks its own cluster. */
  readonly serviceAccount?: string | undefined
}

/** Fetches over the network. `close` ends its connections. */
export function documentFetcher({ environment = {}, serviceAccount }: FetcherOptions = {}): {
  readonly fetch: FetchDocument
  readonly close: () => Promise<void>
} {
  const agents = new Map<string, Dispatcher>()
  const agentFor = ({ addresses, caCertificates }: ConnectionChoice): Dispatcher => {
    const name = `${addresses} ${caCertificates ?? ''}`
    const agent = agents.get(name) ?? connections({ addresses, caCertificates }, { timeoutMs, maxBytes }, environment)
    agents.set(name, agent)
    return agent
  }
  return {
    fetch: async (wanted) => {
      // The token goes only to a server that the authority of the cluster knows: whoever else has the name does not get so far.
      const isCluster = wanted.ownCluster === true && wanted.caCertificates === undefined
      const account = isCluster && serviceAccount !== undefined ? await readServiceAccount(serviceAccount) : undefined
      const caCertificates = wanted.caCertificates ?? account?.caCertificates
      return fetchWith(agentFor({ addresses: wanted.addresses, caCertificates }), wanted, account?.token)
    },
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()))
    },
  }
}

async function fetchWith(agent: Dispatcher, wanted: DocumentRequest, token: string | undefined): Promise<FetchedDocument> {
  const signal = AbortSignal.timeout(timeoutMs)
  let url = demandUrl(wanted.url, wanted.addresses)
  for (let redirects = 0; ; redirects++) {
    const response = await ask(agent, url, signal, token)
    const location = redirectOf(response)
    if (location === undefined) return readDocument(url, response)
    await response.body.dump()
    const next = URL.parse(location, url.href)
    // Hostile: a redirect to another host would make this server ask whatever the issuer wants, cloud metadata among it.
    if (next === null || next.origin !== url.origin || redirects === maxRedirects)
      throw unavailable(url, 'it redirects to another host, or in a circle')
    url = demandUrl(next.href, wanted.addresses)
  }
}

function demandUrl(text: string, addresses: AddressRule): URL {
  const url = parseHttpUrl(text)
  if (url === undefined)
    throw new CountersignError('identity_issuer_unavailable', 'an issuer gives a URL that is not asked', { expected: 'https' })
  const address = literalAddress(url.hostname)
  const isLocal = url.protocol === 'http:' || (address !== undefined && !isPublicAddress(address))
  if (addresses === 'public' && isLocal) throw unavailable(url, 'its address is not a public one')
  return url
}

async function ask(agent: Dispatcher, url: URL, signal: AbortSignal, token: string | undefined): Promise<Dispatcher.ResponseData> {
  // Only to a server whose certificate is verified: a token in clear is anybody's.
  const authorization = token === undefined || url.protocol !== 'https:' ? {} : { authorization: `Bearer ${token}` }
  try {
    return await request(url.href, {
      dispatcher: agent,
      signal,
      headers: { accept: 'application/json', 'user-agent': 'countersign', ...authorization },
    })
  } catch (cause) {
    throw unavailable(url, 'it cannot be reached', cause)
  }
}

function redirectOf({ statusCode, headers }: Dispatcher.ResponseData): string | undefined {
  if (![301, 302, 303, 307, 308].includes(statusCode)) return undefined
  const { location } = headers
  return typeof location === 'string' ? location : ''
}

async function readDocument(url: URL, { statusCode, headers, body }: Dispatcher.ResponseData): Promise<FetchedDocument> {
  if (statusCode !== 200) {
    await body.dump()
    throw unavailable(url, `it answers ${statusCode}`)
  }
  try {
    const value = parseJson(new Uint8Array(await body.arrayBuffer()), { maxBytes, maxDepth: 16, maxValues: 10_000 })
    return { value, maxAgeSeconds: maxAgeOf(headers['cache-control']) }
  } catch (cause) {
    throw unavailable(url, 'its answer is not a JSON document of bounded size', cause)
  }
}

function maxAgeOf(header: string | string[] | undefined): number | undefined {
  const match = typeof header === 'string' ? /(?:^|[,\s])max-age=([0-9]{1,9})(?:$|[,\s])/.exec(header.slice(0, 200)) : null
  return match === null ? undefined : Number(match[1])
}

function unavailable(url: URL, detail: string, cause?: unknown): CountersignError {
  return new CountersignError('identity_issuer_unavailable', `the keys of the identity issuer cannot be had from ${url.host}: ${detail}`, {
    cause,
  })
}
