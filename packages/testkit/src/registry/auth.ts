/** Basic and Bearer authentication of a test registry (Docker's token specification). */
import { randomUUID, timingSafeEqual } from 'node:crypto'
import { errorReply, jsonReply, type RegistryReply, type RegistryRequest } from './exchange.ts'

/** Who may do what. */
export type RegistryAuth =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | {
      readonly kind: 'bearer'
      readonly username: string
      readonly password: string
      /** Accepted as a refresh token. */
      readonly identityToken?: string
      readonly anonymousPull?: boolean
      /** Named in the challenge in place of the registry's own token service. */
      readonly realm?: string
      /** Default 300. */
      readonly lifeSeconds?: number
    }

/** Checks requests and issues tokens. */
export type AuthGate = {
  /** The refusal of a request; `undefined` when it may pass. */
  readonly refuse: (request: RegistryRequest, repository: string) => RegistryReply | undefined
  /** The token service. */
  readonly token: (request: RegistryRequest) => RegistryReply
}

/** Makes the gate of a registry at `origin`. */
export function createAuthGate(auth: RegistryAuth, origin: () => string): AuthGate {
  const tokens = new Map<string, { readonly scopes: readonly string[]; readonly endsAt: number }>()
  return {
    refuse: (request, repository) => {
      if (auth.kind === 'none') return undefined
      if (auth.kind === 'basic') {
        return isBasic(request, auth) ? undefined : unauthorized('Basic realm="test registry"')
      }
      const needed = repository === '' ? undefined : `repository:${repository}:${actionsOf(request.method)}`
      const token = tokens.get((request.headers['authorization'] ?? '').replace(/^Bearer /, ''))
      if (token !== undefined && token.endsAt > Date.now() && (needed === undefined || covers(token.scopes, needed))) return undefined
      const scope = needed === undefined ? '' : `,scope="${needed}"`
      return unauthorized(`Bearer realm="${auth.realm ?? `${origin()}/token`}",service="test"${scope}`)
    },
    token: (request) => {
      if (auth.kind !== 'bearer') return errorReply(404, 'UNSUPPORTED')
      const asked = request.method === 'POST' ? new URLSearchParams(Buffer.from(request.body).toString()) : request.query
      const refreshed = request.method === 'POST' && auth.identityToken !== undefined && asked.get('refresh_token') === auth.identityToken
      const known = refreshed || isBasic(request, auth)
      if (!known && request.headers['authorization'] !== undefined) return errorReply(401, 'UNAUTHORIZED')
      if (!known && (request.method === 'POST' || auth.anonymousPull !== true)) return errorReply(401, 'UNAUTHORIZED')
      const scopes = asked.getAll('scope').flatMap((scope) => scope.split(' '))
      const granted = known ? scopes : scopes.map((scope) => scope.replace(/:[^:]*$/, ':pull'))
      const value = randomUUID()
      const life = auth.lifeSeconds ?? 300
      tokens.set(value, { scopes: granted, endsAt: Date.now() + life * 1000 })
      return jsonReply(200, { token: value, access_token: value, expires_in: life })
    },
  }
}

function actionsOf(method: string): string {
  if (method === 'DELETE') return 'delete'
  return method === 'GET' || method === 'HEAD' ? 'pull' : 'pull,push'
}

function covers(scopes: readonly string[], needed: string): boolean {
  const [, name, actions] = splitScope(needed)
  return scopes.some((scope) => {
    const [, granted, allowed] = splitScope(scope)
    return granted === name && actions.split(',').every((action) => allowed.split(',').includes(action))
  })
}

/** Names may hold a colon: type ends at the first, actions begin after the last. */
function splitScope(scope: string): readonly [string, string, string] {
  const first = scope.indexOf(':')
  const last = scope.lastIndexOf(':')
  return [scope.slice(0, first), scope.slice(first + 1, last), scope.slice(last + 1)]
}

function isBasic(request: RegistryRequest, { username, password }: { readonly username: string; readonly password: string }): boolean {
  const expected = Buffer.from(`Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`)
  const found = Buffer.from(request.headers['authorization'] ?? '')
  return expected.length === found.length && timingSafeEqual(expected, found)
}

function unauthorized(challenge: string): RegistryReply {
  const reply = errorReply(401, 'UNAUTHORIZED', 'authentication required')
  return { ...reply, headers: { ...reply.headers, 'www-authenticate': challenge } }
}
