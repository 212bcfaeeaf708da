/** Redirects of a registry: blobs are often kept by a storage service, which must not see the registry's credentials. */
import { CountersignError } from '@countersign/core/failure'
import { isLoopbackHost, type AddressClass } from '../http/address.ts'
import { header, type HttpRequest } from '../http/message.ts'
import type { Answer } from './endpoint.ts'

/** Redirects followed for one request. */
export const maxRedirects = 5

const statuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Whether an answer is a redirect that is followed: only those of GET and HEAD. */
export function isRedirect({ request, response }: Answer): boolean {
  return statuses.has(response.status) && (request.method === 'GET' || request.method === 'HEAD')
}

/**
 * The next request. To another origin it carries no Authorization, no client certificate, and reaches only networks that a host at
 * `reach` may name. Throws `registry_response_malformed` on a missing or malformed Location and on a step from https to http.
 */
export function followRedirect({ request, response }: Answer, reach: AddressClass): HttpRequest {
  const url = locationOf(header(response, 'location'), request.url)
  if (url.origin === request.url.origin) return { ...request, url }
  const { authorization: _dropped, ...headers } = request.headers ?? {}
  const { named: _named, ...rest } = request
  return { ...rest, url, headers, reach }
}

/** The URL of a `Location` field. Throws `registry_response_malformed` when it is none that may be followed from `from`. */
export function locationOf(location: string | undefined, from: URL): URL {
  const url = location !== undefined && location.length <= 16_384 && URL.canParse(location, from.href) ? new URL(location, from) : undefined
  if (url === undefined || url.username !== '' || url.password !== '') throw malformed(from, location === undefined ? 'none' : 'malformed')
  url.hash = ''
  // A registry behind a TLS proxy that was not told so names itself with http.
  if (url.protocol === 'http:' && from.protocol === 'https:' && url.host === from.host) url.protocol = 'https:'
  const allowed =
    url.protocol === 'https:' ||
    (url.protocol === 'http:' && from.protocol === 'http:' && (isLoopbackHost(url.hostname) || url.host === from.host))
  if (!allowed) throw malformed(from, `${url.protocol}//${url.host}`)
  return url
}

function malformed(from: URL, found: string): CountersignError {
  return new CountersignError('registry_response_malformed', `${from.host} answers with a Location that cannot be followed`, {
    expected: 'an https URL or a path',
    found,
  })
}
