/** Requests to one repository: authorized, with redirects followed safely. */
import { CountersignError } from '@countersign/core/failure'
import type { AddressClass } from '../http/address.ts'
import { failureOfStatus } from '../http/failures.ts'
import type { HttpMethod, HttpRequest } from '../http/message.ts'
import { refuseInClear, type Actions, type Authorizer } from './authorizer.ts'
import { parseChallenge, type Challenge } from './challenge.ts'
import type { Answer, Endpoint } from './endpoint.ts'
import { errorText } from './error-body.ts'
import { followRedirect, isRedirect, maxRedirects } from './redirect.ts'
import { triedText } from './token.ts'

/** One request to a repository. */
export type RepositoryRequest = {
  readonly method: HttpMethod
  /** Below `/v2/REPOSITORY/`, or a URL that the registry itself gave. */
  readonly target: string | URL
  readonly actions: Actions
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly stream?: NonNullable<HttpRequest['stream']>
  readonly repeatable?: boolean
  readonly longBody?: boolean
}

/** Sends requests to one repository. */
export type RepositorySession = {
  /** `registry/repository`. */
  readonly name: string
  readonly base: () => URL
  /** Any answer but a refusal of access, which throws `registry_unauthorized`. Redirects of GET and HEAD are followed. */
  readonly send: (request: RepositoryRequest) => Promise<Answer>
}

/** Makes a session. */
export function createSession(
  endpoint: Endpoint,
  authorizer: Authorizer,
  registry: string,
  repository: string,
  userAgent: string,
): RepositorySession {
  // Where the registry itself answers from decides which networks it may point at.
  let from: AddressClass = 'public'
  const sendOnce = async (request: RepositoryRequest, authorization: string | undefined): Promise<Answer> => {
    const answer = await endpoint.send((base) => buildRequest(base, repository, request, authorization, userAgent, from))
    if (answer.request.named === true) from = answer.response.remote ?? 'public'
    return answer
  }
  return {
    name: `${registry}/${repository}`,
    base: endpoint.base,
    send: async (request) => {
      const first = await authorizer.header(request.actions)
      let answer = await sendOnce(request, first)
      let challenge: Challenge | undefined
      // Only the registry's own challenge is answered: an upload location on another host may not ask for its credentials.
      if (answer.response.status === 401 && answer.request.named === true) {
        challenge = parseChallenge(answer.response.headers['www-authenticate'] ?? [])
        const second =
          challenge === undefined ? undefined : await authorizer.answer(challenge, request.actions, first, answer.response.remote)
        if (second !== undefined) {
          answer.response.discard()
          answer = await sendOnce(request, second)
        }
      }
      answer = await follow(answer)
      if (answer.response.status === 401 || answer.response.status === 403) throw await refusal(answer, challenge, authorizer)
      return answer
    },
  }
  async function follow(start: Answer): Promise<Answer> {
    let answer = start
    for (let hops = 0; isRedirect(answer); hops++) {
      answer.response.discard()
      if (hops === maxRedirects) throw new CountersignError('limit_exceeded', `${registry} redirects more than ${maxRedirects} times`)
      const request = followRedirect(answer, from)
      answer = await endpoint.send(() => request)
    }
    return answer
  }
}

function buildRequest(
  base: URL,
  repository: string,
  request: RepositoryRequest,
  authorization: string | undefined,
  userAgent: string,
  from: AddressClass,
): HttpRequest {
  const { method, target, body, stream, repeatable, longBody } = request
  const url = typeof target === 'string' ? new URL(`/v2/${repository}/${target}`, base) : target
  const own = url.origin === base.origin
  if (own && authorization !== undefined) refuseInClear(base)
  return {
    method,
    url,
    headers: { 'user-agent': userAgent, ...request.headers, ...(own && authorization !== undefined ? { authorization } : {}) },
    ...(body === undefined ? {} : { body }),
    ...(stream === undefined ? {} : { stream }),
    ...(repeatable === undefined ? {} : { repeatable }),
    ...(longBody === undefined ? {} : { longBody }),
    ...(own ? { named: true } : { reach: from }),
  }
}

async function refusal(answer: Answer, challenge: Challenge | undefined, authorizer: Authorizer): Promise<CountersignError> {
  const tried = answer.request.named === true ? triedText(await authorizer.credential()) : 'anonymous access'
  const said = await errorText(answer)
  const asked = challenge === undefined ? '' : `, the registry asks for ${describeChallenge(challenge)}`
  return failureOfStatus(answer.request, answer.response.status, `tried ${tried}${asked}${said === '' ? '' : ` (${said})`}`)
}

function describeChallenge(challenge: Challenge): string {
  if (challenge.scheme === 'basic') return 'Basic authentication'
  const service = URL.canParse(challenge.realm) ? new URL(challenge.realm).host : 'a malformed realm'
  return `a token of ${service}`
}
