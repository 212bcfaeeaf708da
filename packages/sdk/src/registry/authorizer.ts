/** Answers a registry's challenges, with one token per scope for the whole run. */
import { CountersignError } from '@countersign/core/failure'
import type { Credential } from '../credentials/credential.ts'
import { isLoopbackHost, type AddressClass } from '../http/address.ts'
import type { HttpClient } from '../http/client.ts'
import type { Challenge } from './challenge.ts'
import { basicHeader, fetchToken, type AccessToken, type TokenRequest } from './token.ts'

/** What a request does; the scope of its token. */
export type Actions = 'pull' | 'pull,push' | 'pull,push,delete'

/** Gives `Authorization` values for one repository. */
export type Authorizer = {
  /** The value to send without having been asked again; `undefined` before the first challenge, and for anonymous Basic. */
  readonly header: (actions: Actions) => Promise<string | undefined>
  /** The value that answers a challenge, another one than `rejected`; `undefined` when there is none. */
  readonly answer: (
    challenge: Challenge,
    actions: Actions,
    rejected: string | undefined,
    from: AddressClass | undefined,
  ) => Promise<string | undefined>
  readonly credential: () => Promise<Credential | undefined>
}

/** What the repositories of one registry share. */
export type RegistryTokens = {
  readonly tokens: Map<string, Promise<AccessToken & { readonly fetchedAt: number }>>
  challenge: { readonly challenge: Challenge; readonly from: AddressClass | undefined } | undefined
}

/** A token is renewed this long before it ends, so that it does not end on the way. */
const marginMs = 5_000

/** Makes an authorizer. `findCredential` is asked when the registry first demands one; `sentAsIs` is a bearer token sent without being asked. */
export function createAuthorizer(
  client: HttpClient,
  registry: () => URL,
  repository: string,
  known: RegistryTokens,
  findCredential: () => Promise<Credential | undefined>,
  sentAsIs?: string,
): Authorizer {
  let found: Promise<Credential | undefined> | undefined
  const credential = async (): Promise<Credential | undefined> => {
    found ??= findCredential()
    const result = await found
    if (result !== undefined) refuseInClear(registry())
    return result
  }
  const respond = async (
    challenge: Challenge,
    scope: string,
    rejected: string | undefined,
    from: AddressClass | undefined,
  ): Promise<string | undefined> => {
    const secret = (await credential())?.secret
    if (secret?.kind === 'registry_token') return `Bearer ${secret.token}`
    if (challenge.scheme === 'basic') return secret?.kind === 'basic' ? basicHeader(secret) : undefined
    const wanted = { ...challenge, scope, registry: registry(), registryAddress: from, credential: await credential() }
    return `Bearer ${await currentToken(client, known.tokens, repository, wanted, rejected)}`
  }
  return {
    credential,
    header: async (actions) => {
      if (sentAsIs !== undefined) return `Bearer ${sentAsIs}`
      if (known.challenge === undefined) return undefined
      return respond(known.challenge.challenge, scopeOf(repository, actions), undefined, known.challenge.from)
    },
    answer: async (challenge, actions, rejected, from) => {
      known.challenge = { challenge, from }
      const named = challenge.scheme === 'bearer' ? challenge.scope : undefined
      const header = await respond(challenge, chooseScope(repository, actions, named), rejected, from)
      return header === rejected ? undefined : header
    },
  }
}

/** The token for a scope, other than the one that was rejected; those who want the same one at the same time share one request. */
async function currentToken(
  client: HttpClient,
  tokens: RegistryTokens['tokens'],
  repository: string,
  wanted: TokenRequest,
  rejected: string | undefined,
): Promise<string> {
  const key = JSON.stringify([wanted.realm, wanted.service, wanted.scope, repository])
  for (let flight = tokens.get(key); flight !== undefined;) {
    const { value, fetchedAt, lifeMs } = await flight
    if (performance.now() - fetchedAt < lifeMs - marginMs && `Bearer ${value}` !== rejected) return value
    const latest = tokens.get(key)
    if (latest === flight) break
    flight = latest
  }
  const fetched = fetchToken(client, wanted).then((token) => ({ ...token, fetchedAt: performance.now() }))
  tokens.set(key, fetched)
  try {
    return (await fetched).value
  } catch (error) {
    if (tokens.get(key) === fetched) tokens.delete(key)
    throw error
  }
}

function scopeOf(repository: string, actions: Actions): string {
  return `repository:${repository}:${actions}`
}

/** Ours when the challenge names this repository as we do, else what the registry demands: some name repositories in their own way. */
function chooseScope(repository: string, actions: Actions, named: string | undefined): string {
  const own = scopeOf(repository, actions)
  if (named === undefined || !/^[\x20-\x7e]{1,2048}$/.test(named)) return own
  return named.startsWith(`repository:${repository}:`) && !named.includes(' ') ? own : named
}

/** No credential leaves this machine unencrypted, whatever was allowed for the content. Throws `insecure_transport`. */
export function refuseInClear(base: URL): void {
  if (base.protocol === 'https:' || isLoopbackHost(base.hostname)) return
  throw new CountersignError('insecure_transport', `credentials for ${base.host} would travel unencrypted`, {
    expected: 'https',
    found: 'http',
    hint: 'Give the registry a TLS certificate (--registry-cacert), or log out of it to read it anonymously.',
  })
}
