/** A request as read and a reply to be written, so that routes are functions and faults can change replies. */
import type { RegistryContent } from './content.ts'

/** A request, read to its end. */
export type RegistryRequest = {
  readonly method: string
  /** Without query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
}

/** A reply. The body of a reply to HEAD is measured, not sent. */
export type RegistryReply = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

/** How the registry behaves; every part has a default. */
export type RegistryBehaviour = {
  /** The referrers API; default true. False behaves like docker-registry 2.8.3: 404. */
  readonly referrers: boolean
  /** `If-Match` and `If-None-Match` on manifest writes; default true. */
  readonly conditionalWrites: boolean
  /** Default 1000. */
  readonly tagPageSize: number
  /** Default 1000. */
  readonly referrersPageSize: number
  /** Where blobs are downloaded from instead of here. */
  readonly blobRedirect?: (repository: string, digest: string) => string
}

/** What a route works on. */
export type RouteContext = {
  readonly content: RegistryContent
  readonly uploads: Map<string, Uint8Array>
  readonly behaviour: RegistryBehaviour
  readonly request: RegistryRequest
  readonly repository: string
  /** What follows the route's name in the path: digest, tag or upload session. */
  readonly rest: string
}

/** An error document of the distribution-spec. */
export function errorReply(status: number, code: string, message: string = code): RegistryReply {
  return jsonReply(status, { errors: [{ code, message }] })
}

/** A JSON document. */
export function jsonReply(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): RegistryReply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: new TextEncoder().encode(JSON.stringify(value)) }
}
