/** Which methods a path has, so that a wrong method is told from a wrong path (RFC 9110 §15.5.6). */

/** The routes of the process, as they are added. */
export type KnownPaths = {
  readonly add: (pattern: string, methods: readonly string[]) => void
  /** The methods of all routes that match the path; empty when none does. What only answers preflights (`OPTIONS /*`) is nothing that is there. */
  readonly methodsOf: (path: string) => readonly string[]
}

/** An empty table of routes. */
export function knownPaths(): KnownPaths {
  const routes: { readonly segments: readonly string[]; readonly methods: readonly string[] }[] = []
  return {
    add: (pattern, methods) => {
      routes.push({ segments: pattern.split('/'), methods })
    },
    methodsOf: (path) => {
      const segments = path.split('/')
      const methods = new Set(routes.filter((route) => matches(route.segments, segments)).flatMap((route) => route.methods))
      return methods.size === 1 && methods.has('OPTIONS') ? [] : [...methods].sort()
    },
  }
}

/** `:name` stands for one segment that is not empty, `*` at the end for any rest; patterns within a segment count as `:name`. */
function matches(pattern: readonly string[], path: readonly string[]): boolean {
  for (const [index, expected] of pattern.entries()) {
    if (expected === '*') return path.length > index
    const found = path[index]
    if (found === undefined || (expected.includes(':') ? found === '' : expected !== found)) return false
  }
  return pattern.length === path.length
}
