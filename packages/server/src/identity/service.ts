/** The identity service: the OpenID provider of this installation under `/oidc`. */
import type { ProxyEnvironment } from '../base/http/outgoing.ts'
import type { Service } from '../base/http/service.ts'
import type { KeyStore } from '../base/keys/role-key.ts'
import { createAttempts } from './accounts/attempts.ts'
import type { AccountPorts } from './accounts/accounts.ts'
import { type LoginPorts, sweepLoginLinks } from './accounts/login.ts'
import { sweepProvider } from './provider/adapter.ts'
import { liveProvider } from './provider/live.ts'
import { addIdentityRoutes } from './provider/routes.ts'
import { type Upstream, upstreamClient } from './provider/upstream.ts'

/** What the service needs. */
export type IdentityOptions = AccountPorts &
  Pick<LoginPorts, 'secrets'> & {
    readonly keys: KeyStore
    /** Names of the RSA keys as they are now, the one that signs first; the others only verify. Asked for every two seconds. */
    readonly keyNames: () => Promise<readonly [string, ...string[]]>
    /** `URL/oidc`. */
    readonly issuer: string
    readonly prefix: string
    readonly upstreams: readonly Upstream[]
    /** Of which the variables of a proxy count. */
    readonly environment?: ProxyEnvironment
    /** Told what went wrong where the caller learns nothing of it. */
    readonly failed?: (failure: unknown) => void
  }

const sweepMs = 10 * 60_000

/** Makes the service. */
export async function identityService(options: IdentityOptions): Promise<Service> {
  const { database, clock, secrets, issuer, prefix, audit } = options
  const live = await liveProvider(options)
  const login = { database, audit, clock, secrets, attempts: createAttempts(clock) }
  const sweep = async (): Promise<void> => {
    await sweepProvider(database.raw, clock)
    await sweepLoginLinks(database.raw, clock)
  }
  const sweeping = setInterval(() => void sweep().catch((failure: unknown) => options.failed?.(failure)), sweepMs)
  sweeping.unref()
  return {
    name: 'oidc',
    prefix,
    // Links that let somebody in, once.
    secretPaths: ['/welcome/'],
    routes: (app) =>
      addIdentityRoutes(app, {
        live,
        login,
        issuer,
        prefix,
        upstreams: options.upstreams.map((upstream) => upstreamClient(upstream, options.environment ?? {})),
      }),
    close: async () => {
      clearInterval(sweeping)
      live.close()
    },
  }
}
