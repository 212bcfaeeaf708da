/** What a module imports, and what those imports add up to: pure, so that the checks can be shown to fail. */
import { posix } from 'node:path'
import { parse, walk, type Node } from '../houserules/source.ts'

/** Which imports count: all that a module names, or those alone that load another module together with it (no types, no `import()`). */
export type ImportKinds = 'all' | 'loading'

/** Every specifier that a module names: import, export from, `import()` and `import('…')` types. */
export function specifiers(text: string, kinds: ImportKinds = 'all'): string[] {
  const found: string[] = []
  for (const node of walk(parse(text))) {
    if (!/^(ImportDeclaration|ExportNamedDeclaration|ExportAllDeclaration|ImportExpression|TSImportType)$/.test(node.type)) continue
    const loads = node.type.endsWith('Declaration') && node['importKind'] !== 'type' && node['exportKind'] !== 'type'
    if (kinds === 'loading' && !loads) continue
    const source = node['source'] as Node | null | undefined
    if (typeof source?.['value'] === 'string') found.push(source['value'])
  }
  return found
}

/** The repository path that a specifier means, from a file of the repository; `undefined` for Node and for other people's packages. */
function resolveImport(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.normalize(posix.join(posix.dirname(from), specifier))
  const own = /^@countersign\/([a-z]+)(?:\/(.+))?$/.exec(specifier)
  if (own === null) return undefined
  return `packages/${own[1]}/src/${own[2] ?? 'index'}.ts`
}

/** The repository paths that a file imports. */
export function localImports(path: string, text: string, kinds: ImportKinds = 'all'): string[] {
  return specifiers(text, kinds)
    .map((specifier) => resolveImport(path, specifier))
    .filter((target) => target !== undefined)
}

/** Groups of files that import one another in a circle (strongly connected components of more than one, or importing itself). */
export function importCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const reach = new Map<string, Set<string>>()
  for (const start of graph.keys()) {
    const seen = new Set<string>()
    const open = [...(graph.get(start) ?? [])]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue
      seen.add(next)
      open.push(...(graph.get(next) ?? []))
    }
    reach.set(start, seen)
  }
  const cycles = new Map<string, string[]>()
  for (const [start, seen] of reach) {
    if (!seen.has(start)) continue
    const members = [...seen].filter((other) => reach.get(other)?.has(start) === true).sort()
    cycles.set(members.join(), members)
  }
  return [...cycles.values()]
}

/** The room of a production file: `core` for files at a package's top, `core/x509` for those in its folder `x509`, at any depth. */
export function roomOf(path: string): string | undefined {
  const [, name, folders] = /^packages\/([^/]+)\/src\/((?:[^/]+\/)*)[^/]+$/.exec(path) ?? []
  if (name === undefined || folders === undefined) return undefined
  const [room, chamber] = folders.split('/').filter((folder) => folder !== '')
  if (room === undefined) return name
  // The server's rooms are services, large enough to have chambers.
  return name === 'server' && chamber !== undefined ? `${name}/${room}/${chamber}` : `${name}/${room}`
}

/** A package's public door, which passes on names of every room of its package. */
export function isPublicDoor(path: string): boolean {
  return /^packages\/(core|sdk)\/src\/index\.ts$/.test(path)
}

/** Whether a relative import names no file. */
export function namesFolder(specifier: string): boolean {
  return specifier.startsWith('.') && !/\.(ts|json)$/.test(specifier)
}
