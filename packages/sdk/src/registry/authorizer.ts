/** Answers a registry's challenges, with one token per scope for the whole run. */
import { CountersignError } from '@countersign/core/failure'
import type { Credential } from '../credentials/credential.ts'
import { isLoopbackHost, type AddressClass } from '../http/address.ts'
import type { HttpClient } from '../http/client.ts'
import type { Challenge } from './challenge.ts'
import { basicHeader, fetchToken, type AccessToken } from './token.ts'

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
  const bearer = async (
    challenge: Extract<Challenge, { scheme: 'bearer' }>,
    scope: string,
    rejected: string | undefined,
    from: AddressClass | undefined,
  ): Promise<string> => {
    const shown = await credential()
    const key = JSON.stringify([challenge.realm, challenge.service, scope, repository])
    const cached = await known.tokens.get(key)
    const usable = cached !== undefined && performance.now() - cached.fetchedAt < cached.lifeMs - marginMs
    if (usable && `Bearer ${cached.value}` !== rejected) return `Bearer ${cached.value}`
    const fetched = fetchToken(client, { ...challenge, scope, registry: registry(), registryAddress: from, credential: shown }).then(
      (token) => ({ ...token, fetchedAt: performance.now() }),
    )
    known.tokens.set(key, fetched)
    try {
      return `Bearer ${(await fetched).value}`
    } catch (error) {
      known.tokens.delete(key)
      throw error
    }
  }
  const respond = async (
    challenge: Challenge,
    scope: string,
    rejected: string | undefined,
    from: AddressClass | undefined,
  ): Promise<string | undefined> => {
    const secret = (await credential())?.secret
    if (secret?.kind === 'registry_token') return `Bearer ${secret.token}`
    if (challenge.scheme === 'bearer') return bearer(challenge, scope, rejected, from)
    return secret?.kind === 'basic' ? basicHeader(secret) : undefined
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
