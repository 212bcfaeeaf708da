/** Where a registry answers: https, or plain http where that is allowed. */
import { CountersignError } from '@countersign/core/failure'
import { isDockerHub } from '../credentials/registry-key.ts'
import { isLoopbackHost } from '../http/address.ts'
import type { HttpClient } from '../http/client.ts'
import { errorCode, isCertificateRefused } from '../http/failures.ts'
import type { HttpRequest, HttpResponse } from '../http/message.ts'

/** An answer and the request that it answers, for messages. */
export type Answer = { readonly request: HttpRequest; readonly response: HttpResponse }

/** One registry's address. */
export type Endpoint = {
  /** Scheme and host as far as known: before the first answer, the first candidate. */
  readonly base: () => URL
  /** Sends what `build` makes for the base; the first request finds out which scheme the registry speaks. */
  readonly send: (build: (base: URL) => HttpRequest) => Promise<Answer>
}

/**
 * Plain http is for loopback, or where `allowHttp` says so. On loopback http is tried first and https when the answer is not http, off loopback
 * https first. Throws `reference_malformed` when the registry is no host with optional port.
 */
export function createEndpoint(client: HttpClient, registry: string, allowHttp: boolean): Endpoint {
  const candidates = candidatesFor(registry, allowHttp)
  let chosen = candidates[0] as URL
  let decided = candidates.length === 1
  const sendTo = async (base: URL, build: (base: URL) => HttpRequest): Promise<Answer> => {
    const request = build(base)
    return { request, response: await client.send(request) }
  }
  const other = async (): Promise<URL | undefined> => {
    const base = candidates[1] as URL
    const probe = await attempt(client, { method: 'GET', url: new URL('/v2/', base), named: true, probing: true })
    // A certificate that is not accepted is a TLS server all the same: its failure is the one to tell.
    if ('error' in probe) return isCertificateRefused(probe.error.cause) ? base : undefined
    probe.response.discard()
    return base
  }
  return {
    base: () => chosen,
    send: async (build) => {
      if (decided) return sendTo(chosen, build)
      const request = { ...build(chosen), probing: true }
      const first = await attempt(client, request)
      if ('response' in first && !speaksOtherScheme(first.response)) {
        decided = true
        return { request, response: first.response }
      }
      if ('response' in first) first.response.discard()
      const found = 'error' in first && errorCode(first.error.cause) === 'ECONNREFUSED' ? undefined : await other()
      decided = true
      if (found !== undefined) chosen = found
      return sendTo(chosen, build)
    },
  }
}

async function attempt(
  client: HttpClient,
  request: HttpRequest,
): Promise<{ readonly response: HttpResponse } | { readonly error: CountersignError }> {
  try {
    return { response: await client.send(request) }
  } catch (error) {
    if (error instanceof CountersignError && (error.code === 'registry_unreachable' || error.code === 'registry_response_malformed')) {
      return { error }
    }
    throw error
  }
}

/** TLS servers answer plain http with a bare 400 (Go: "Client sent an HTTP request to an HTTPS server"). */
function speaksOtherScheme(response: HttpResponse): boolean {
  return response.status === 400 && response.headers['docker-distribution-api-version'] === undefined
}

function candidatesFor(registry: string, allowHttp: boolean): readonly URL[] {
  const host = isDockerHub(registry) ? 'registry-1.docker.io' : registry
  const https = parseHost(`https://${host}/`, registry)
  const http = parseHost(`http://${host}/`, registry)
  if (isLoopbackHost(https.hostname)) return [http, https]
  return allowHttp ? [https, http] : [https]
}

function parseHost(text: string, registry: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const plain =
    url !== undefined && url.pathname === '/' && url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (plain && /^[\x21-\x7e]+$/.test(registry)) return url
  throw new CountersignError('reference_malformed', 'the registry is not a host name with an optional port', {
    found: registry.slice(0, 200),
  })
}
