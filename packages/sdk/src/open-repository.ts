/** Opens repositories wherever they are, over one client per run: one pool, one deadline, one cache. */
import { CountersignError, unreachable } from '@countersign/core/failure'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { Keeper } from './cache/keeper.ts'
import type { Connection } from './connection.ts'
import type { Credential } from './credentials/credential.ts'
import { findCredential } from './credentials/find.ts'
import type { HttpClient } from './http/client.ts'
import { openClient, type RunTuning } from './open-client.ts'
import type { RegistryTokens } from './registry/authorizer.ts'
import type { Endpoint } from './registry/endpoint.ts'
import type { ObjectCache } from './registry/object-cache.ts'
import type { Repository } from './registry/repository.ts'

/** One run: everything that it reads is read once, and all of it ends at one deadline, which starts now. */
export type RegistryRun = {
  /** A repository; the same place gives the same one. Throws what the place's own reader throws. */
  readonly open: (place: ImageReference['place']) => Promise<Repository>
  /** Ends open requests and idle connections. */
  readonly close: () => void
}

/** Opens one repository in a run of its own. To open several, share a run. */
export function openRepository(place: ImageReference['place'], connection: Connection): Promise<Repository> {
  return createRegistryRun(connection).open(place)
}

/** Starts a run. Nothing is read or connected before the first `open`. */
export function createRegistryRun(connection: Connection, tuning: RunTuning = {}): RegistryRun {
  const repositories = new Map<string, Promise<Repository>>()
  let registries: Promise<Registries> | undefined
  let closed = false
  const openOnce = async (place: ImageReference['place']): Promise<Repository> => {
    switch (place.kind) {
      case 'registry':
        registries ??= createRegistries(connection, tuning, performance.now())
        return (await registries).open(place.registry, place.repository)
      case 'layout':
        return traced(connection, await (await import('./layout/layout-repository.ts')).openLayoutRepository(place.directory))
      case 'archive':
        return traced(
          connection,
          await (await import('./layout/archive-repository.ts')).openArchiveRepository(place.file, connection.archiveIndex),
        )
      default:
        return unreachable(place)
    }
  }
  return {
    open: (place) => {
      if (closed) throw new CountersignError('internal', 'the run is closed')
      const key = JSON.stringify(place)
      const known = repositories.get(key)
      if (known !== undefined) return known
      const opening = openOnce(place)
      repositories.set(key, opening)
      opening.catch(() => repositories.delete(key))
      return opening
    },
    close: () => {
      closed = true
      registries?.then(
        ({ client, keeper }) => {
          keeper?.save()
          client.close()
        },
        () => undefined,
      )
    },
  }
}

/** Layouts and archives; what is asked of a registry is seen at its requests. */
async function traced({ trace }: Connection, repository: Repository): Promise<Repository> {
  return trace === undefined ? repository : (await import('./trace.ts')).tracedRepository(repository, trace)
}

type Registries = {
  readonly client: HttpClient
  /** What outlives the run, or one image of it. */
  readonly keeper: Keeper | undefined
  readonly open: (registry: string, repository: string) => Repository
}

/** One registry of a run. */
type KnownRegistry = { readonly endpoint: Endpoint; readonly tokens: RegistryTokens }

async function createRegistries(connection: Connection, tuning: RunTuning, startedAt: number): Promise<Registries> {
  const client = await openClient(connection, tuning, startedAt)
  const { createObjectCache } = await import('./registry/object-cache.ts')
  const { registryLimits } = await import('./registry/repository-context.ts')
  const { trace } = connection
  const plain = createObjectCache(registryLimits.cache)
  const cache = trace === undefined ? plain : (await import('./trace.ts')).tracedCache(plain, trace)
  const known = new Map<string, KnownRegistry>()
  const keeper =
    connection.cache === undefined && connection.listingAgeMs === undefined
      ? undefined
      : (await import('./cache/keeper.ts')).createKeeper(connection, Date.now)
  const { createEndpoint } = await import('./registry/endpoint.ts')
  const parts = { client, connection, cache, keeper, makers: await importMakers() }
  return {
    client,
    keeper,
    open: (registry, repository) => {
      const shared = known.get(registry) ?? {
        endpoint: createEndpoint(client, registry, connection.allowHttp === true),
        tokens: { tokens: new Map(), challenge: undefined },
      }
      known.set(registry, shared)
      return openOne(parts, shared, registry, repository)
    },
  }
}

/** What all repositories of a run share. */
type RunParts = {
  readonly client: HttpClient
  readonly connection: Connection
  readonly cache: ObjectCache
  readonly keeper: Keeper | undefined
  readonly makers: Makers
}

type Makers = Awaited<ReturnType<typeof importMakers>>

/** Once for a run: `import()` costs even for what is loaded, and a run may open hundreds of repositories. */
async function importMakers() {
  const [{ createAuthorizer }, { createSession }, { openRegistryRepository }] = await Promise.all([
    import('./registry/authorizer.ts'),
    import('./registry/session.ts'),
    import('./registry/open.ts'),
  ])
  return { createAuthorizer, createSession, openRegistryRepository }
}

function openOne(
  { client, connection, cache, keeper, makers }: RunParts,
  { endpoint, tokens }: KnownRegistry,
  registry: string,
  repository: string,
): Repository {
  const { createAuthorizer, createSession, openRegistryRepository } = makers
  const { username, password, token, environment } = connection
  const search = {
    registry,
    repository,
    environment,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(token === undefined ? {} : { token }),
  }
  const find = (): Promise<Credential | undefined> =>
    findCredential({ ...search, helperTimeoutMs: Math.max(1, Math.min(30_000, client.deadline.remainingMs())) })
  const authorizer = createAuthorizer(client, endpoint.base, repository, tokens, find, token)
  const kept = keeper?.open(registry, repository, authorizer)
  const session = createSession(endpoint, kept?.authorizer ?? authorizer, registry, repository, connection.userAgent ?? 'countersign')
  const opened = openRegistryRepository({ session, cache, uploads: {}, ...(kept?.earlier === undefined ? {} : { earlier: kept.earlier }) })
  return kept === undefined ? opened : kept.remembering(opened)
}
