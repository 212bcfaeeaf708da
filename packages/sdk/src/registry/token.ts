/** The token service of the Docker registry protocol: GET with Basic, POST for identity tokens (OAuth2 refresh tokens). */
import { bytesToBase64 } from '@countersign/core/base64'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import type { Credential, Secret } from '../credentials/credential.ts'
import { isLoopbackHost, type AddressClass } from '../http/address.ts'
import { readBody } from '../http/body.ts'
import type { HttpClient } from '../http/client.ts'
import { describeRequest, failureOfStatus } from '../http/failures.ts'
import type { HttpRequest } from '../http/message.ts'

/** What to ask a token service for. */
export type TokenRequest = {
  readonly realm: string
  readonly service?: string
  readonly scope: string
  /** The registry whose challenge named the service. */
  readonly registry: URL
  /** Where that registry answered from; `undefined` behind a proxy. */
  readonly registryAddress: AddressClass | undefined
  readonly credential: Credential | undefined
}

/** A token and its life in milliseconds. */
export type AccessToken = { readonly value: string; readonly lifeMs: number }

const maxAnswer = 256 * 1024
/** Docker's token specification: an absent `expires_in` means 60 seconds. */
const defaultLifeSeconds = 60

/** Fetches a token. Throws `registry_unauthorized` when refused, or when the service is not one that may see credentials. */
export async function fetchToken(client: HttpClient, wanted: TokenRequest): Promise<AccessToken> {
  const realm = checkRealm(wanted)
  const named = realm.origin === wanted.registry.origin
  const guard = named ? {} : { reach: wanted.registryAddress ?? ('public' as const) }
  const request: HttpRequest = { ...buildRequest(realm, wanted), named, ...guard, repeatable: true }
  const response = await client.send(request)
  const body = await readBody(response, request, maxAnswer)
  if (response.status === 200) return readToken(body, request)
  const refused = response.status >= 400 && response.status < 500 && response.status !== 429
  throw failureOfStatus(request, refused ? 401 : response.status, `the token service refused ${triedText(wanted.credential)}`)
}

/** Which credentials were shown, for messages: the place they came from, never themselves. */
export function triedText(credential: Credential | undefined): string {
  return credential === undefined ? 'anonymous access' : `the credentials from ${credential.source}`
}

/**
 * Hostile: the registry names this URL, and we would send it a password. It must be https; plain http only from loopback to loopback,
 * so that no registry on the net can make us talk to a service of this machine.
 */
function checkRealm(wanted: TokenRequest): URL {
  const realm = URL.canParse(wanted.realm) ? new URL(wanted.realm) : undefined
  const local = realm?.protocol === 'http:' && isLoopbackHost(realm.hostname) && isLoopbackHost(wanted.registry.hostname)
  if (realm !== undefined && (realm.protocol === 'https:' || local) && realm.username === '' && realm.password === '') return realm
  throw new CountersignError('registry_unauthorized', `${wanted.registry.host} names a token service that must not see credentials`, {
    expected: 'an https URL without user information',
    found: realm === undefined ? 'no URL' : `${realm.protocol}//${realm.host}`,
  })
}

function buildRequest(realm: URL, wanted: TokenRequest): Pick<HttpRequest, 'method' | 'url' | 'headers' | 'body'> {
  const secret = wanted.credential?.secret
  if (secret?.kind === 'identity') return refreshRequest(realm, wanted, secret.token)
  const url = new URL(realm)
  url.hash = ''
  if (wanted.service !== undefined) url.searchParams.set('service', wanted.service)
  // The scope may list several, separated by spaces; the service reads one parameter each.
  url.searchParams.delete('scope')
  for (const scope of wanted.scope.split(' ')) if (scope !== '') url.searchParams.append('scope', scope)
  return { method: 'GET', url, headers: secret?.kind === 'basic' ? { authorization: basicHeader(secret) } : {} }
}

function refreshRequest(url: URL, wanted: TokenRequest, refreshToken: string): Pick<HttpRequest, 'method' | 'url' | 'headers' | 'body'> {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: 'countersign',
    scope: wanted.scope,
    refresh_token: refreshToken,
    ...(wanted.service === undefined ? {} : { service: wanted.service }),
  })
  return { method: 'POST', url, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: utf8(form.toString()) }
}

/** The value of an `Authorization` field for Basic (RFC 7617). */
export function basicHeader(secret: Extract<Secret, { readonly kind: 'basic' }>): string {
  return `Basic ${bytesToBase64(utf8(`${secret.username}:${secret.password}`))}`
}

function readToken(body: Uint8Array, request: HttpRequest): AccessToken {
  const { value } = parseJsonAs('registry_response_malformed', describeRequest(request), body)
  const answer = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>
  const token = answer['token'] ?? answer['access_token']
  // Whatever goes into a header field must not be able to end it.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw new CountersignError('registry_response_malformed', `${describeRequest(request)}: the answer holds no token`)
  }
  const life = answer['expires_in']
  const seconds = typeof life === 'number' && life > 0 && life < 1e7 ? life : defaultLifeSeconds
  return { value: token, lifeMs: seconds * 1000 }
}
