/** Device authorization (RFC 8628) with PKCE: the person logs in on another device, by a code. */
import { createHash, randomBytes } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import { count, isAbsent, nonEmptyText } from '@countersign/core/json/shape'
import type { HttpClient } from '../http/client.ts'
import { pause } from '../http/deadline.ts'
import { refusedBy } from '../services/exchange.ts'
import { answerMembers, optionalText } from './json-answer.ts'
import { identityTokenIn, oauthErrorCode, type OpenIdClient, type OpenIdProvider, postForm } from './provider.ts'

/** What to show to the person. */
export type DevicePrompt = { readonly url: string; readonly urlWithCode?: string; readonly code: string }

const grantType = 'urn:ietf:params:oauth:grant-type:device_code'

/**
 * Logs in by code. `show` is called once, then the provider is asked until the person has answered. Throws `not_supported` when the provider has
 * no device authorization, `service_refused` when the person refuses or the code ends, `deadline_exceeded`.
 */
export async function loginByDevice(
  client: HttpClient,
  provider: OpenIdProvider,
  who: OpenIdClient,
  show: (prompt: DevicePrompt) => void,
): Promise<string> {
  const endpoint = provider.deviceAuthorizationEndpoint
  if (endpoint === undefined) {
    throw new CountersignError('not_supported', `${provider.issuer} has no device authorization`, {
      hint: 'Log in with a browser (--fulcio-auth-flow normal), or give --identity-token.',
    })
  }
  const verifier = randomBytes(32).toString('base64url')
  const answer = await postForm(client, endpoint, who, {
    scope: 'openid email',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  if (answer.status !== 200) throw refusedBy(answer.request, answer)
  const field = answerMembers(answer)
  const complete = optionalText(field, 'verification_uri_complete')
  show({
    url: nonEmptyText(field('verification_uri')),
    code: nonEmptyText(field('user_code')),
    ...(complete === undefined ? {} : { urlWithCode: complete }),
  })
  const seconds = isAbsent(field('interval')) ? 5 : count(field('interval'))
  return poll(client, provider, who, { device_code: nonEmptyText(field('device_code')), code_verifier: verifier }, seconds)
}

async function poll(
  client: HttpClient,
  provider: OpenIdProvider,
  who: OpenIdClient,
  codes: { readonly device_code: string; readonly code_verifier: string },
  seconds: number,
): Promise<string> {
  for (let interval = Math.min(Math.max(seconds, 1), 60); ;) {
    await pause(interval * 1000, client.deadline)
    const answer = await postForm(client, provider.tokenEndpoint, who, { grant_type: grantType, ...codes })
    const error = oauthErrorCode(answer)
    if (error === 'slow_down') interval += 5
    else if (error !== 'authorization_pending') return identityTokenIn(answer)
  }
}
