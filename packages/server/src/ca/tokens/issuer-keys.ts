/** The keys of issuers: discovered, cached, renewed when an issuer rotates, and never fetched more often than is bounded here. */
import { CountersignError } from '@countersign/core/failure'
import { documentPlace, isAbsent, items, openMembers, text } from '@countersign/core/json/shape'
import { parseJson } from '@countersign/core/json/parse'
import type { Clock } from '../../base/clock.ts'
import type { Issuer } from '../issuers/model.ts'
import { parseHttpUrl } from '../issuers/url.ts'
import type { FetchDocument } from './documents.ts'
import { readKeySet, type TokenKey } from './key-set.ts'

/** The keys of one issuer, and the algorithms that it says it signs with; `undefined` where its keys are configured. */
export type KeyRing = { readonly keys: readonly TokenKey[]; readonly algorithms: ReadonlySet<string> | undefined }

/** Where keys come from. */
export type IssuerKeys = {
  /** The keys at hand, at most some hours old. Rejects with `identity_issuer_unavailable`. */
  readonly current: (issuer: Issuer) => Promise<KeyRing>
  /** Newer keys for a token whose key is not among those at hand: fetched, unless that was done a moment ago. */
  readonly renewed: (issuer: Issuer) => Promise<KeyRing>
}

/** `source`: the configured keys that the ring was read from. */
type Entry = { ring: KeyRing; fetchedAt: number; expiresAt: number; source?: string }

const minuteMs = 60_000
const defaultAgeMs = 60 * minuteMs
const leastAgeMs = 5 * minuteMs
const mostAgeMs = 12 * 60 * minuteMs
/** How long old keys serve while the issuer cannot be reached. */
const graceMs = 60 * minuteMs
/** Between two fetches that tokens with unknown keys, or failures, can cause. */
const pauseMs = 30_000
const maxPatternIssuers = 256
const maxFetches = 16

/** Keeps the keys of issuers in memory. */
export function issuerKeys({ fetch, now }: { readonly fetch: FetchDocument; readonly now: Clock }): IssuerKeys {
  const configuredEntries = new Map<string, Entry>()
  const patternEntries = new Map<string, Entry>()
  const entriesOf = (issuer: Issuer): Map<string, Entry> => (issuer.from === 'pattern' ? patternEntries : configuredEntries)
  const fetching = new Map<string, Promise<KeyRing>>()
  const failures = new Map<string, { readonly until: number; readonly cause: unknown }>()

  const keep = (issuer: Issuer, entry: Entry): void => {
    // Hostile: a pattern matches as many issuers as a stranger can name; the configured ones are never pushed out.
    trim(patternEntries, maxPatternIssuers)
    entriesOf(issuer).set(issuer.url, entry)
  }

  const load = async (issuer: Issuer): Promise<KeyRing> => {
    const failed = failures.get(issuer.url)
    if (failed !== undefined && now() < failed.until) throw failed.cause
    try {
      const { ring, maxAgeMs } = await discover(fetch, issuer)
      keep(issuer, { ring, fetchedAt: now(), expiresAt: now() + maxAgeMs })
      failures.delete(issuer.url)
      return ring
    } catch (cause) {
      trim(failures, maxPatternIssuers)
      failures.set(issuer.url, { until: now() + pauseMs, cause })
      throw cause
    }
  }

  /** One fetch for all who wait for it. */
  const loadOnce = (issuer: Issuer): Promise<KeyRing> => {
    const running = fetching.get(issuer.url)
    if (running !== undefined) return running
    if (fetching.size >= maxFetches) return Promise.reject(unavailable('the keys of too many issuers are being fetched at once'))
    const loading = load(issuer).finally(() => fetching.delete(issuer.url))
    fetching.set(issuer.url, loading)
    return loading
  }

  const current = async (issuer: Issuer): Promise<KeyRing> => {
    const known = entriesOf(issuer).get(issuer.url)
    if (issuer.staticKeys !== undefined)
      return known?.source === issuer.staticKeys ? known.ring : configured(issuer, issuer.staticKeys, keep)
    if (known !== undefined && now() < known.expiresAt) return known.ring
    try {
      return await loadOnce(issuer)
    } catch (cause) {
      if (known === undefined || now() >= known.expiresAt + graceMs) throw cause
      return known.ring
    }
  }

  const renewed = async (issuer: Issuer): Promise<KeyRing> => {
    const known = entriesOf(issuer).get(issuer.url)
    const isFresh = known !== undefined && now() < known.fetchedAt + pauseMs
    return issuer.staticKeys !== undefined || isFresh ? current(issuer) : loadOnce(issuer)
  }
  return { current, renewed }
}

function configured(issuer: Issuer, source: string, keep: (issuer: Issuer, entry: Entry) => void): KeyRing {
  const keys = readKeySet(parseJson(source, { maxBytes: 256 * 1024, maxDepth: 16, maxValues: 10_000 }))
  const ring: KeyRing = { keys, algorithms: undefined }
  keep(issuer, { ring, fetchedAt: 0, expiresAt: Number.POSITIVE_INFINITY, source })
  return ring
}

/** OpenID Connect Discovery 1.0 §4. */
async function discover(fetch: FetchDocument, issuer: Issuer): Promise<{ readonly ring: KeyRing; readonly maxAgeMs: number }> {
  const { url, caCertificates, from } = issuer
  const addresses = from === 'configuration' ? 'any' : 'public'
  const ownCluster = from === 'configuration' && isClusterName(parseHttpUrl(url)?.hostname ?? '')
  const base = url.endsWith('/') ? url.slice(0, -1) : url
  const { value } = await fetch({ url: `${base}/.well-known/openid-configuration`, addresses, caCertificates, ownCluster })
  const field = openMembers(documentPlace(value, 'identity_issuer_unavailable'))
  // §4.3: exactly. Else one issuer could hand out the keys of another.
  if (text(field('issuer')) !== url) throw unavailable('the document of the issuer names another issuer')
  const keysUrl = text(field('jwks_uri'))
  const keysReach = keysAddresses(url, keysUrl, addresses)
  const set = await fetch({ url: keysUrl, addresses: keysReach, caCertificates, ownCluster: ownCluster && keysReach === 'any' })
  const advertised = field('id_token_signing_alg_values_supported')
  const algorithms = new Set(isAbsent(advertised) ? ['RS256'] : items(advertised, 64).map(text))
  const ageMs = Math.min(mostAgeMs, Math.max(leastAgeMs, (set.maxAgeSeconds ?? defaultAgeMs / 1000) * 1000))
  return { ring: { keys: readKeySet(set.value), algorithms }, maxAgeMs: ageMs }
}

/**
 * An issuer may keep its keys on another host. The operator configured the issuer and not that host, so that only public addresses are asked there;
 * but an issuer inside a private domain (Kubernetes names its API server by address) may have them in its network.
 */
function keysAddresses(issuerUrl: string, keysUrl: string, addresses: 'any' | 'public'): 'any' | 'public' {
  const [issuer, keys] = [parseHttpUrl(issuerUrl), parseHttpUrl(keysUrl)]
  if (addresses === 'public' || issuer === undefined || keys === undefined) return 'public'
  if (issuer.host === keys.host) return 'any'
  return isClusterName(issuer.hostname) && !keys.hostname.startsWith('169.254.') ? 'any' : 'public'
}

/** Names that only the DNS of a Kubernetes cluster resolves. */
function isClusterName(hostname: string): boolean {
  return hostname === 'kubernetes.default.svc' || hostname.startsWith('kubernetes.default.svc.')
}

/** Drops the oldest entries until there is room for one. */
function trim(map: Map<string, unknown>, most: number): void {
  for (const name of map.keys()) {
    if (map.size < most) return
    map.delete(name)
  }
}

function unavailable(detail: string): CountersignError {
  return new CountersignError('identity_issuer_unavailable', detail)
}
