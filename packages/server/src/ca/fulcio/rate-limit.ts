/** How many certificates one identity may have in a time: a bucket each, in bounded memory. */
import type { Clock } from '../../base/clock.ts'

/** What one identity may take: `burst` at once, and `perMinute` in the long run. */
export type IssuanceRate = { readonly burst: number; readonly perMinute: number }

/** Enough for a build farm that signs as one identity; far below what would fill a log. */
export const defaultIssuanceRate: IssuanceRate = { burst: 300, perMinute: 600 }

/** Takes one from the bucket of an identity; gives the seconds to wait when it is empty, and 0 otherwise. */
export type RateLimit = (identity: string) => number

type Bucket = { tokens: number; at: number }

/** A limit that remembers the identities of late, at most `maxIdentities`. A full bucket is no memory worth keeping. */
export function rateLimit({ burst, perMinute }: IssuanceRate, now: Clock, maxIdentities = 100_000): RateLimit {
  const buckets = new Map<string, Bucket>()
  const perMs = perMinute / 60_000
  return (identity) => {
    const time = now()
    const known = buckets.get(identity)
    const tokens = known === undefined ? burst : Math.min(burst, known.tokens + Math.max(0, time - known.at) * perMs)
    buckets.delete(identity)
    // The one that was not seen for longest goes; it is first in the map.
    for (const oldest of buckets.keys()) {
      if (buckets.size < maxIdentities) break
      buckets.delete(oldest)
    }
    buckets.set(identity, { tokens: tokens < 1 ? tokens : tokens - 1, at: time })
    return tokens < 1 ? Math.max(1, Math.ceil((1 - tokens) / perMs / 1000)) : 0
  }
}
