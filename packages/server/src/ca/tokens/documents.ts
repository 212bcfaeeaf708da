/** Fetches the small JSON documents of issuers: bounded in time and size, no redirect to another host, no address that it may not have. */
import { lookup as resolve, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { CountersignError } from '@countersign/core/failure'
import { parseJson, type JsonValue } from '@countersign/core/json/parse'
import { Agent, request, type Dispatcher } from 'undici'
import { parseHttpUrl } from '../issuers/url.ts'
import { isPublicAddress, literalAddress, type AddressRule } from './addresses.ts'

/** How one document is fetched. */
export type DocumentRequest = {
  readonly url: string
  readonly addresses: AddressRule
  /** PEM of the authorities of the server's certificate, in place of the public ones. */
  readonly caCertificates?: string | undefined
}

/** A document and how long its server says that it holds, in seconds. */
export type FetchedDocument = { readonly value: JsonValue; readonly maxAgeSeconds: number | undefined }

/** Fetches documents; rejects with `identity_issuer_unavailable`. */
export type FetchDocument = (wanted: DocumentRequest) => Promise<FetchedDocument>

const timeoutMs = 8_000
const maxBytes = 256 * 1024
const maxRedirects = 3

/** Fetches over the network. `close` ends its connections. */
export function documentFetcher(): { readonly fetch: FetchDocument; readonly close: () => Promise<void> } {
  const agents = new Map<string, Agent>()
  const agentFor = ({ addresses, caCertificates }: DocumentRequest): Agent => {
    const name = `${addresses} ${caCertificates ?? ''}`
    const known = agents.get(name)
    if (known !== undefined) return known
    const agent = new Agent({
      connect: {
        timeout: timeoutMs,
        ...(caCertificates === undefined ? {} : { ca: caCertificates }),
        ...(addresses === 'public' ? { lookup: publicLookup } : {}),
      },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connections: 4,
      pipelining: 1,
      maxResponseSize: maxBytes,
    })
    agents.set(name, agent)
    return agent
  }
  return {
    fetch: (wanted) => fetchWith(agentFor(wanted), wanted),
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()))
    },
  }
}

async function fetchWith(agent: Agent, wanted: DocumentRequest): Promise<FetchedDocument> {
  const signal = AbortSignal.timeout(timeoutMs)
  let url = demandUrl(wanted.url, wanted.addresses)
  for (let redirects = 0; ; redirects++) {
    const response = await ask(agent, url, signal)
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

async function ask(agent: Agent, url: URL, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  try {
    return await request(url.href, { dispatcher: agent, signal, headers: { accept: 'application/json', 'user-agent': 'countersign' } })
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

/** Every address of the name must be public: connecting takes any of them. Judged where the connection is made, so that no second answer of DNS can differ. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    const [first] = error === null ? addresses : []
    if (first === undefined || !addresses.every(({ address }) => isPublicAddress(address))) {
      callback(error ?? new CountersignError('identity_issuer_unavailable', 'a name has an address that is not a public one'), '', 0)
    } else if (options.all === true) {
      ;(callback as unknown as (error: null, all: readonly LookupAddress[]) => void)(null, addresses)
    } else {
      callback(null, first.address, first.family)
    }
  })
}

function unavailable(url: URL, detail: string, cause?: unknown): CountersignError {
  return new CountersignError('identity_issuer_unavailable', `the keys of the identity issuer cannot be had from ${url.host}: ${detail}`, {
    cause,
  })
}
