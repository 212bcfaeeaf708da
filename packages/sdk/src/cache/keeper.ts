/** What outlives one run, or one image of a run over many: joins the cache on disk and the memory of listings to the repositories of a run. */
import { createHash } from 'node:crypto'
import type { Credential } from '../credentials/credential.ts'
import type { Authorizer } from '../registry/authorizer.ts'
import type { EarlierObjects } from '../registry/repository-context.ts'
import type { Repository } from '../registry/repository.ts'
import { everybody, openDiskCache, type DiskCacheOptions, type PlaceCache } from './disk.ts'
import { createListings, type ListedAnswer, type Listings } from './listings.ts'
import { rememberedView, type RouteCount } from './remembering.ts'

/** What a keeper needs to know of a connection: what is kept, and what decides who answers. */
export type KeeperOptions = {
  readonly cache?: DiskCacheOptions
  /** Milliseconds. */
  readonly listingAgeMs?: number
  readonly allowHttp?: boolean
  readonly allowInsecure?: boolean
  readonly serverName?: string
  readonly caFile?: string
  readonly clientCertificateFile?: string
}

/** One repository with what is kept of it. */
export type KeptRepository = {
  readonly earlier?: EarlierObjects
  /** The same authorizer, watched: what was answered to a credential is nobody else's. */
  readonly authorizer: Authorizer
  readonly remembering: (repository: Repository) => Repository
}

/** Keeps what one run reads. */
export type Keeper = {
  readonly open: (registry: string, repository: string, authorizer: Authorizer) => KeptRepository
  /** Writes it to disk, where there is a cache. */
  readonly save: () => void
}

/** Makes a keeper. `nowMs` is the clock, Unix milliseconds. */
export function createKeeper(options: KeeperOptions, nowMs: () => number): Keeper {
  const disk = options.cache === undefined ? undefined : openDiskCache(options.cache, nowMs)
  const { allowHttp, allowInsecure, serverName, caFile, listingAgeMs = 0 } = options
  const savers: (() => void)[] = []
  const routes = new Map<string, RouteCount>()
  return {
    open: (registry, repository, authorizer) => {
      // What a man in the middle may have said is not said again where he was not allowed for.
      const place = disk?.place([
        registry,
        repository,
        String(allowHttp === true),
        String(allowInsecure === true),
        serverName ?? '',
        caFile ?? '',
      ])
      const watched = watch(authorizer)
      const earlier = place === undefined ? {} : { earlier: place }
      if (listingAgeMs <= 0) return { ...earlier, authorizer: watched.authorizer, remembering: (inner) => inner }
      // A client certificate is a credential that is shown before anything is asked for.
      const shelf = options.clientCertificateFile === undefined ? place : undefined
      const fresh = createListings(nowMs)
      let listings: Promise<Listings> | undefined
      const memory = {
        listings: () => (listings ??= recollect(fresh, shelf, watched)),
        maxAgeMs: listingAgeMs,
        nowMs,
        asking: new Map<string, Promise<ListedAnswer>>(),
        referrersRoute: routes.get(registry) ?? { missing: 0, there: false },
      }
      routes.set(registry, memory.referrersRoute)
      savers.push(() => {
        if (fresh.isNew()) shelf?.keepListings(watched.owner(), fresh, listingAgeMs)
      })
      return {
        ...earlier,
        authorizer: watched.authorizer,
        remembering: (inner) => ({ ...inner, remembered: () => rememberedView(inner, memory) }),
      }
    },
    save: () => {
      for (const save of savers) save()
      disk?.flush()
    },
  }
}

/** What earlier runs were told: whatever anybody may know, else what the same credential was answered. */
async function recollect(listings: Listings, shelf: PlaceCache | undefined, { authorizer, own }: Watched): Promise<Listings> {
  if (shelf === undefined) return listings
  const known = [...shelf.readListings(everybody)]
  if (shelf.hasPrivateListings()) {
    const credential = await authorizer.credential()
    if (credential !== undefined) {
      // Even when nothing is asked for in this run: what was somebody's alone stays so when it is written again.
      own(credential)
      known.push(...shelf.readListings(ownerOf(credential)))
    }
  }
  listings.load(known)
  return listings
}

type Watched = { readonly authorizer: Authorizer; readonly owner: () => string; readonly own: (credential: Credential) => void }

/** Notes whether a credential was shown. */
function watch(authorizer: Authorizer): Watched {
  let owner = everybody
  const own = (credential: Credential): void => void (owner = ownerOf(credential))
  const note = async (header: string | undefined): Promise<string | undefined> => {
    if (header === undefined || owner !== everybody) return header
    const credential = await authorizer.credential()
    if (credential !== undefined) own(credential)
    return header
  }
  return {
    owner: () => owner,
    own,
    authorizer: {
      credential: authorizer.credential,
      header: async (actions) => note(await authorizer.header(actions)),
      answer: async (...asked) => note(await authorizer.answer(...asked)),
    },
  }
}

/** Who was answered. A password is left out: a file that can be compared with it would be a place to try passwords; tokens are too long for that. */
function ownerOf({ secret }: Credential): string {
  if (secret.kind === 'basic') return `basic ${secret.username}`
  return `${secret.kind} ${createHash('sha256').update(secret.token).digest('hex')}`
}
