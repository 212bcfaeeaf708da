/**
 * Reading bundles of entries, which have up to 16 MiB: few at once, and each once for all who want it at the same time. Hostile: a request of
 * a few bytes names entries anywhere, and hundreds at once would have the server hold hundreds of bundles.
 */

/** Gives what `read` gives, or what another is reading under the same key at this moment. */
export type SharedReads<T> = (key: string, read: () => Promise<T>) => Promise<T>

/** Reads at most `most` at once; the others wait in the order in which they came. */
export function sharedReads<T>(most: number): SharedReads<T> {
  const reading = new Map<string, Promise<T>>()
  const waiting: (() => void)[] = []
  let active = 0
  const turn = async (read: () => Promise<T>): Promise<T> => {
    if (active >= most) await new Promise<void>((resolve) => waiting.push(resolve))
    else active++
    try {
      return await read()
    } finally {
      // Whoever is next takes the place over.
      const next = waiting.shift()
      if (next === undefined) active--
      else next()
    }
  }
  return (key, read) => {
    const known = reading.get(key)
    if (known !== undefined) return known
    const begun = turn(read).finally(() => reading.delete(key))
    reading.set(key, begun)
    return begun
  }
}
