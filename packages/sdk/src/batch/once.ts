/** Work that is wanted several times and done once. */

/** Runs `work` for a key when it is asked for first; every later call gets the same result, or the same failure. */
export type Once = <Result>(key: string, work: () => Promise<Result>) => Promise<Result>

/** A memory for one run. What it holds lives as long as the run: give it results that are small. A key always means one type of result. */
export function once(): Once {
  const known = new Map<string, Promise<unknown>>()
  return <Result>(key: string, work: () => Promise<Result>) => {
    const before = known.get(key)
    if (before !== undefined) return before as Promise<Result>
    const doing = work()
    known.set(key, doing)
    return doing
  }
}
