/** Connections that this server opens itself, to whatever the operator named: through the operator's proxy where there is one. */
import type { LookupFunction } from 'node:net'
import { Agent, type Dispatcher, EnvHttpProxyAgent, fetch as fetchThrough } from 'undici'

/** Variables of the environment, of which `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count, in either case. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>

/** Bounds of a connection, and whose certificates count, PEM; default those of the system. */
export type OutgoingOptions = Pick<Agent.Options, 'headersTimeout' | 'bodyTimeout' | 'connections' | 'pipelining' | 'maxResponseSize'> & {
  readonly connect: { readonly timeout: number; readonly ca?: string; readonly lookup?: LookupFunction }
}

/** Connections with these bounds. What is on this machine is never asked through a proxy. */
export function outgoing(options: OutgoingOptions, environment: ProxyEnvironment): Dispatcher {
  const { timeout, ca } = options.connect
  const [httpsProxy = '', httpProxy = '', noProxy = ''] = ['https_proxy', 'http_proxy', 'no_proxy'].map(
    (name) => environment[name] ?? environment[name.toUpperCase()] ?? '',
  )
  if (httpsProxy === '' && httpProxy === '') return new Agent(options)
  return new EnvHttpProxyAgent({
    ...options,
    requestTls: { timeout, ...(ca === undefined ? {} : { ca }) },
    httpsProxy,
    httpProxy,
    noProxy: [noProxy, 'localhost', '127.0.0.1', '::1'].filter((part) => part !== '').join(','),
  })
}

const [timeoutMs, maxBytes] = [10_000, 256 * 1024]

/** `fetch` over such connections, for answers of a few kilobytes. */
export function outgoingFetch(environment: ProxyEnvironment): typeof fetch {
  const bounds = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs, connections: 4, pipelining: 1, maxResponseSize: maxBytes }
  const dispatcher = outgoing({ ...bounds, connect: { timeout: timeoutMs } }, environment)
  // The same interface of two packages.
  const through = fetchThrough as unknown as (input: unknown, init: object) => Promise<Response>
  return async (input, init) => through(input, { ...init, dispatcher })
}
