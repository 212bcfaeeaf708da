/** HTTP as the SDK sees it: one request, one answer whose body is a stream. */
import type { AddressClass } from './address.ts'

/** The methods that the registry protocol uses. */
export type HttpMethod = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'

/** One request. */
export type HttpRequest = {
  readonly method: HttpMethod
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** In place of `body`: what is read while it is sent, `length` bytes. It can be read once, so the request is sent once. */
  readonly stream?: { readonly length: number; readonly parts: AsyncIterable<Uint8Array> }
  /** May be sent again when it is open whether it arrived. Default: true, but for POST and PATCH. */
  readonly repeatable?: boolean
  /** A broken connection is an answer here: it may mean that the host speaks the other scheme. Only statuses lead to another attempt. */
  readonly probing?: boolean
  /** The operator named this host: it is shown the client certificate and asked for under the configured server name. */
  readonly named?: boolean
  /** For a host that a server named: which addresses beside public ones it may have. Absent: any, because the operator named it. */
  readonly reach?: AddressClass
  /** Frees the host's slot as soon as the answer's head is there: for bodies that are read at the pace of somebody else. */
  readonly longBody?: boolean
}

/** One answer. Its body must be read or discarded. */
export type HttpResponse = {
  readonly status: number
  /** Lower-case names; repeated fields kept apart. */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>
  readonly body: AsyncIterable<Uint8Array>
  /** Where the answer came from; `undefined` behind a proxy. */
  readonly remote: AddressClass | undefined
  /** Gives the body up; the connection stays usable when little is left. */
  readonly discard: () => void
}

/** Sends one request, once. Rejects with the failure of the network underneath. */
export type Transport = {
  readonly send: (request: HttpRequest, signal: AbortSignal) => Promise<HttpResponse>
  readonly close: () => void
}

/** The first field of that name (lower case); `undefined` when absent. */
export function header(response: Pick<HttpResponse, 'headers'>, name: string): string | undefined {
  return response.headers[name]?.[0]
}

/** The media type of `Content-Type` in lower case, without parameters; empty when absent. */
export function contentType(response: Pick<HttpResponse, 'headers'>): string {
  return ((header(response, 'content-type') ?? '').split(';', 1)[0] as string).trim().toLowerCase()
}

/** `Content-Length` as a number; `undefined` when absent or not a canonical number of bytes. */
export function contentLength(response: Pick<HttpResponse, 'headers'>): number | undefined {
  const text = header(response, 'content-length')
  return text !== undefined && /^(?:0|[1-9][0-9]{0,14})$/.test(text) ? Number(text) : undefined
}

/** Whether a request may be sent again. */
export function isRepeatable(request: HttpRequest): boolean {
  if (request.stream !== undefined) return false
  return request.repeatable ?? (request.method !== 'POST' && request.method !== 'PATCH')
}
