/** YAML and JSON as a tree of texts with places. Aliases and merge keys are followed; a budget keeps a small file from becoming a great value. */
import { CountersignError } from '@countersign/core/failure'
import type * as YamlLibrary from 'yaml'
import type { Node, Pair, YAMLMap } from 'yaml'
import { beyondLimit, malformedAt, type ManifestText } from './text-place.ts'

/** A value with its place. Numbers, booleans and dates are the texts that they are written as; `null` is the empty text with `absent`. */
export type Tree =
  | { readonly kind: 'text'; readonly text: string; readonly start: number; readonly end: number; readonly absent: boolean }
  | { readonly kind: 'map'; readonly entries: ReadonlyMap<string, Tree>; readonly start: number; readonly end: number }
  | { readonly kind: 'list'; readonly items: readonly Tree[]; readonly start: number; readonly end: number }

const maxDocuments = 20_000
const maxNodes = 1_000_000
const maxDepth = 200
/** What divides values: the reader of YAML takes ten microseconds and a kilobyte for what stands between two of them. */
const maxDividers = 500_000

type Yaml = typeof YamlLibrary
type Reading = {
  readonly yaml: Yaml
  readonly source: ManifestText
  readonly anchors: Map<string, Tree>
  readonly budget: { nodes: number }
}

/** The documents of a file that are not empty. Throws `file_malformed` with line and column, `limit_exceeded`. */
export async function readTrees(source: ManifestText): Promise<readonly Tree[]> {
  const dividers = countDividers(source.text)
  if (dividers > maxDividers)
    throw beyondLimit(source, `it has ${dividers} lines and commas`, `at most ${maxDividers}; divide the file, or give a list of images`)
  const yaml = await import('yaml')
  // `uniqueKeys` compares each key with each other one; the check here is linear.
  const documents = parseAll(yaml, source)
  if (documents.length > maxDocuments) throw beyondLimit(source, `${documents.length} documents`, `at most ${maxDocuments}`)
  const budget = { nodes: maxNodes }
  const trees: Tree[] = []
  for (const document of documents) {
    const [problem] = document.errors
    if (problem !== undefined) throw unparsed(source, problem.message, problem.pos[0])
    if (document.contents === null) continue
    const tree = convert({ yaml, source, anchors: new Map(), budget }, document.contents, 0)
    if (tree.kind !== 'text' || !tree.absent) trees.push(tree)
  }
  return trees
}

function countDividers(text: string): number {
  let count = 0
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    // Line feed, comma, and the brackets.
    if (character === 0x0a || character === 0x2c || character === 0x5b || character === 0x7b) count++
  }
  return count
}

type Documents = readonly { readonly errors: readonly { message: string; pos: [number, number] }[]; readonly contents: Node | null }[]

function parseAll(yaml: Yaml, source: ManifestText): Documents {
  try {
    // Only comments: the library answers with an empty list that is no list of documents.
    return [...yaml.parseAllDocuments(source.text, { uniqueKeys: false, prettyErrors: false, logLevel: 'silent' })] as Documents
  } catch (cause) {
    throw new CountersignError('file_malformed', `${source.file}: this cannot be read as YAML`, { cause })
  }
}

function unparsed(source: ManifestText, message: string, offset: number): CountersignError {
  if (/call stack/i.test(message)) return beyondLimit(source, 'it nests too deeply', `at most ${maxDepth} levels`)
  return malformedAt(source, offset, message.split('\n', 1)[0] ?? 'malformed YAML')
}

function convert(reading: Reading, node: unknown, depth: number): Tree {
  const { yaml, source, budget, anchors } = reading
  if (depth > maxDepth) throw beyondLimit(source, 'it nests too deeply', `at most ${maxDepth} levels`)
  if (--budget.nodes < 0) throw beyondLimit(source, 'it has too many values', `at most ${maxNodes}`)
  if (yaml.isAlias(node)) {
    const target = anchors.get(node.source)
    if (target === undefined)
      throw malformedAt(source, node.range?.[0] ?? 0, `the alias *${node.source.slice(0, 80)} names no anchor above it`)
    return target
  }
  const [start = 0, end = 0] = (yaml.isNode(node) ? node.range : undefined) ?? []
  // `!!binary` is base64 to Kubernetes, and a text to who does not know it.
  if (yaml.isScalar(node) && node.tag !== undefined && /^tag:yaml\.org,2002:(?!(?:str|int|float|bool|null)$)/.test(node.tag))
    throw malformedAt(source, start, `a value of type ${JSON.stringify(node.tag.slice(0, 60))} is not read here`)
  let tree: Tree
  if (yaml.isMap(node)) tree = { kind: 'map', entries: entriesOf(reading, node, depth), start, end }
  else if (yaml.isSeq(node)) tree = { kind: 'list', items: node.items.map((item) => convert(reading, item, depth + 1)), start, end }
  else if (yaml.isScalar(node)) tree = textOf(source, node.value, node.source, start, end)
  else tree = { kind: 'text', text: '', start, end, absent: true }
  if (yaml.isNode(node) && !yaml.isAlias(node) && node.anchor !== undefined) anchors.set(node.anchor, tree)
  return tree
}

function textOf(source: ManifestText, value: unknown, written: string | undefined, start: number, end: number): Tree {
  const text = typeof value === 'string' ? value : value === null || value === undefined ? '' : (written ?? '')
  const absent = value === null || value === undefined
  const raw = source.text.slice(start, end)
  // Quotes and the head of a folded text are not part of what is replaced.
  const inside = text === '' ? Number(raw.length === 2) : raw.indexOf(text)
  if (absent || inside === -1) return { kind: 'text', text, start, end, absent }
  return { kind: 'text', text, start: start + inside, end: start + inside + text.length, absent }
}

/** Names on the way to an image. Kubernetes' reader of YAML lets a later `<<` replace what stands above it; others do not. */
const decisive = new Set(
  'apiVersion kind spec template jobTemplate items services containers initContainers ephemeralContainers volumes image reference source'.split(
    ' ',
  ),
)

/** Own members win over merged ones (`<<`), earlier merges over later ones: yaml.org/type/merge. A key given twice has no meaning. */
function entriesOf(reading: Reading, map: YAMLMap, depth: number): ReadonlyMap<string, Tree> {
  const { yaml, source } = reading
  const start = map.range?.[0] ?? 0
  const own = new Map<string, Tree>()
  const merged: Tree[] = []
  const before = new Set<string>()
  for (const pair of map.items as readonly Pair[]) {
    const offset = yaml.isNode(pair.key) ? (pair.key.range?.[0] ?? 0) : 0
    const key = yaml.isAlias(pair.key) ? reading.anchors.get(pair.key.source) : convert(reading, pair.key, depth + 1)
    if (key?.kind !== 'text') throw malformedAt(source, offset, 'a name in a mapping is no text')
    const value = convert(reading, pair.value, depth + 1)
    if (key.text === '<<' && value.kind !== 'text') {
      merged.push(...(value.kind === 'list' ? value.items : [value]))
      for (const name of own.keys()) before.add(name)
    } else if (own.has(key.text)) {
      throw malformedAt(source, offset, `the name ${JSON.stringify(key.text.slice(0, 80))} is given twice in one mapping`)
    } else own.set(key.text, value)
  }
  for (const part of merged) {
    if (part.kind !== 'map') continue
    reading.budget.nodes -= part.entries.size
    if (reading.budget.nodes < 0) throw beyondLimit(source, 'it has too many values', `at most ${maxNodes}`)
    for (const [name, value] of part.entries) {
      if (before.has(name) && decisive.has(name) && own.get(name) !== value)
        throw malformedAt(source, start, `readers do not agree whether "<<" replaces ${JSON.stringify(name)} above it`, 'Write << first.')
      if (!own.has(name)) own.set(name, value)
    }
  }
  return own
}

/** A member of a mapping; `undefined` for other values and for what is null. */
export function member(tree: Tree | undefined, name: string): Tree | undefined {
  const found = tree?.kind === 'map' ? tree.entries.get(name) : undefined
  return found?.kind === 'text' && found.absent ? undefined : found
}

/** The text of a member that is a text and not empty. */
export function memberText(tree: Tree | undefined, name: string): string | undefined {
  const found = member(tree, name)
  return found?.kind === 'text' && found.text !== '' ? found.text : undefined
}
