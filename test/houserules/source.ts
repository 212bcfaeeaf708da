/** The repository's own files and their syntax trees, for the tests that keep the rules of the house. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseAst } from 'vitest/node'

/** The root of the checkout. */
export const root: string = resolve(import.meta.dirname, '../..')

/** Files that are committed or would be (not ignored), relative to the root, that exist. */
export function files(...under: string[]): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate', '-z', '--', ...under], {
    cwd: root,
    encoding: 'utf8',
  })
  const deleted = new Set(execFileSync('git', ['ls-files', '--deleted', '-z'], { cwd: root, encoding: 'utf8' }).split('\0'))
  return listed.split('\0').filter((path) => path !== '' && !deleted.has(path))
}

/** Production TypeScript of every package. */
export function productionFiles(): string[] {
  return files('packages').filter((path) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path))
}

/** A file's text. */
export function read(path: string): string {
  return readFileSync(resolve(root, path), 'utf8')
}

/** A node of an ESTree syntax tree with TypeScript nodes; offsets are characters of the text. */
export type Node = { readonly type: string; readonly start: number; readonly end: number; readonly [field: string]: unknown }

/** The syntax tree of a TypeScript text. */
export function parse(text: string): Node {
  return parseAst(text, { lang: 'ts' }) as unknown as Node
}

/** Every node of a tree, parents before children. */
export function* walk(node: Node): Generator<Node> {
  yield node
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child === 'object' && child !== null && typeof (child as Node).type === 'string') yield* walk(child as Node)
    }
  }
}

/** An exported name and where its declaration (with `export`) starts. */
export type Export = { readonly name: string; readonly kind: string; readonly start: number }

/** The names that a module declares and exports itself, not those that it passes on. */
export function exportsOf(tree: Node): Export[] {
  const found: Export[] = []
  for (const statement of tree['body'] as Node[]) {
    if (statement.type !== 'ExportNamedDeclaration') continue
    const declaration = statement['declaration'] as Node | null
    if (declaration === null) continue
    const named = declaration.type === 'VariableDeclaration' ? (declaration['declarations'] as Node[]) : [declaration]
    for (const one of named) {
      const id = one['id'] as { name?: string } | undefined
      if (id?.name !== undefined) found.push({ name: id.name, kind: declaration.type, start: statement.start })
    }
  }
  return found
}

/** The TSDoc comment that ends right before an offset, or `undefined`. */
export function docBefore(text: string, offset: number): string | undefined {
  const before = text.slice(0, offset).trimEnd()
  if (!before.endsWith('*/')) return undefined
  const start = before.lastIndexOf('/*')
  return before.startsWith('/**', start) ? before.slice(start) : undefined
}

/** The 1-based line of an offset. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/** The value below which a share of the sorted numbers lies. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0
}
