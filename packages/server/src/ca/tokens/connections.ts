/** How issuers are connected to: through the proxy of the operator, with a bound in time, and to no address that a URL from outside may not have. */
import { lookup as resolve, type LookupAddress } from 'node:dns'
import { readFile } from 'node:fs/promises'
import type { LookupFunction } from 'node:net'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import type { Dispatcher } from 'undici'
import { outgoing, type ProxyEnvironment } from '../../base/http/outgoing.ts'
import { type AddressRule, isPublicAddress } from './addresses.ts'

/** Which connection. */
export type ConnectionChoice = { readonly addresses: AddressRule; readonly caCertificates: string | undefined }

/** Bounds of every connection. */
export type ConnectionBounds = { readonly timeoutMs: number; readonly maxBytes: number }

/**
 * Connections of one kind. Behind a proxy it is the proxy that resolves names, and the operator's business which addresses it reaches; without
 * one the addresses of a name are judged where the connection is made.
 */
export function connections(
  { addresses, caCertificates }: ConnectionChoice,
  { timeoutMs, maxBytes }: ConnectionBounds,
  environment: ProxyEnvironment,
): Dispatcher {
  const tls = caCertificates === undefined ? {} : { ca: caCertificates }
  const bounds = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs, connections: 4, pipelining: 1, maxResponseSize: maxBytes }
  return outgoing(
    { ...bounds, connect: { timeout: timeoutMs, ...tls, ...(addresses === 'public' ? { lookup: publicLookup } : {}) } },
    environment,
  )
}

/** What a pod of Kubernetes asks its cluster with. */
export type ClusterCredentials = { readonly caCertificates: string; readonly token: string }

/** Reads `ca.crt` and `token` of a service account, each time anew: Kubernetes replaces them. Throws `identity_issuer_unavailable`. */
export async function readServiceAccount(folder: string): Promise<ClusterCredentials> {
  try {
    const [caCertificates, token] = await Promise.all(['ca.crt', 'token'].map((name) => readFile(join(folder, name), 'utf8')))
    return { caCertificates: caCertificates as string, token: (token as string).trim() }
  } catch (cause) {
    throw new CountersignError('identity_issuer_unavailable', `there is no service account in ${folder}`, { cause })
  }
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
