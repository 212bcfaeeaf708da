/** An OpenID provider, discovered (OpenID Connect Discovery §4), and its token endpoint (RFC 6749 §3.2). */
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { nonEmptyText } from '@countersign/core/json/shape'
import type { HttpClient } from '../http/client.ts'
import { askService, refusedBy, type ServiceAnswer, type ServiceRequest } from '../services/exchange.ts'
import { serviceUrl } from '../services/service-url.ts'
import { answerMembers, optionalText } from './json-answer.ts'

/** Where to send people and requests. */
export type OpenIdProvider = {
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly deviceAuthorizationEndpoint?: string
}

/** Who asks: `sigstore` and no secret, as every installation knows it, unless the operator says otherwise. */
export type OpenIdClient = { readonly id: string; readonly secret?: string }

const service = 'the identity provider'

/** Discovers a provider. Throws `service_response_malformed` when it names another issuer (§4.3: hostile, a mix-up). */
export async function discoverProvider(client: HttpClient, issuer: string): Promise<OpenIdProvider> {
  const request: ServiceRequest = { service, method: 'GET', url: serviceUrl(issuer, '.well-known/openid-configuration'), repeatable: true }
  const answer = await askService(client, request)
  if (answer.status !== 200) throw refusedBy(request, answer)
  const field = answerMembers(answer)
  const named = nonEmptyText(field('issuer'))
  if (named !== issuer) {
    throw new CountersignError('service_response_malformed', 'the identity provider calls itself by another name', {
      expected: issuer,
      found: named.slice(0, 120),
    })
  }
  const device = optionalText(field, 'device_authorization_endpoint')
  return {
    issuer,
    authorizationEndpoint: nonEmptyText(field('authorization_endpoint')),
    tokenEndpoint: nonEmptyText(field('token_endpoint')),
    ...(device === undefined ? {} : { deviceAuthorizationEndpoint: device }),
  }
}

/** Sends a form to an endpoint of the provider; a client with a secret authenticates with it (RFC 6749 §2.3.1). */
export async function postForm(
  client: HttpClient,
  endpoint: string,
  who: OpenIdClient,
  form: Readonly<Record<string, string>>,
): Promise<ServiceAnswer & { readonly request: ServiceRequest }> {
  const basic = who.secret === undefined ? undefined : `${encodeURIComponent(who.id)}:${encodeURIComponent(who.secret)}`
  const request: ServiceRequest = {
    service,
    method: 'POST',
    url: serviceUrl(endpoint, ''),
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
      ...(basic === undefined ? {} : { authorization: `Basic ${Buffer.from(basic).toString('base64')}` }),
    },
    body: utf8(new URLSearchParams({ client_id: who.id, ...form }).toString()),
    repeatable: false,
  }
  return { ...(await askService(client, request)), request }
}

/** The identity token in an answer of the token endpoint; nothing of the answer is shown. */
export function identityTokenIn(answer: ServiceAnswer & { readonly request: ServiceRequest }): string {
  if (answer.status !== 200) throw refusedBy(answer.request, { ...answer, body: oauthError(answer) })
  return nonEmptyText(answerMembers(answer)('id_token'))
}

/** `error` and `error_description` (RFC 6749 §5.2) of a refusal, and nothing else that an answer may hold. */
function oauthError(answer: ServiceAnswer): Uint8Array {
  const field = answerMembers(answer)
  return utf8([optionalText(field, 'error'), optionalText(field, 'error_description')].filter((text) => text !== undefined).join(': '))
}

/** The `error` of a refusal (RFC 8628 §3.5); `undefined` for anything else. */
export function oauthErrorCode(answer: ServiceAnswer): string | undefined {
  return answer.status === 200 ? undefined : optionalText(answerMembers(answer), 'error')
}
