/** Each immutable object is fetched once per run: small ones are kept, and those who ask at the same time share one flight. */

/** Bytes with what was said about them. Content-addressed: checked against the digest before it comes here. */
export type CachedObject = {
  readonly bytes: Uint8Array
  readonly mediaType: string
  /** An earlier run has read it: that the repository has it still is not known. */
  readonly earlier?: true
}

/** A cache of checked objects. */
export type ObjectCache = {
  /** The object under `key`, loaded unless it is there or on its way. What `load` does not find is not remembered. */
  readonly get: (key: string, load: () => Promise<CachedObject | undefined>) => Promise<CachedObject | undefined>
  readonly peek: (key: string) => CachedObject | undefined
  readonly keep: (key: string, object: CachedObject) => void
  readonly forget: (key: string) => void
}

/** Makes a cache of at most `maxBytes`; the oldest objects go first. */
export function createObjectCache(maxBytes: number): ObjectCache {
  const kept = new Map<string, CachedObject>()
  const flights = new Map<string, Promise<CachedObject | undefined>>()
  let total = 0
  const forget = (key: string): void => {
    total -= kept.get(key)?.bytes.length ?? 0
    kept.delete(key)
    // Whoever asks from now on asks the store, even if an older question is still open.
    flights.delete(key)
  }
  const keep = (key: string, object: CachedObject): void => {
    forget(key)
    kept.set(key, object)
    total += object.bytes.length
    for (const oldest of kept.keys()) {
      if (total <= maxBytes) break
      forget(oldest)
    }
  }
  return {
    peek: (key) => kept.get(key),
    keep,
    forget,
    get: async (key, load) => {
      const there = kept.get(key) ?? flights.get(key)
      if (there !== undefined) return there
      const flight = load()
      flights.set(key, flight)
      try {
        const object = await flight
        if (object !== undefined && flights.get(key) === flight) keep(key, object)
        return object
      } finally {
        if (flights.get(key) === flight) flights.delete(key)
      }
    },
  }
}
