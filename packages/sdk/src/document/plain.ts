/** What is refused of a YAML document beside what its library refuses. */
import type * as yamlModule from 'yaml'
import type { Document, Node } from 'yaml'

/** Something that is not read here, and where it begins: an offset into the text. */
export type YamlFault = { readonly offset: number; readonly text: string }

/** The first fault of a document: those that the library found, then anchors, aliases and repeated keys. */
export function faultOf(yaml: typeof yamlModule, document: Document): YamlFault | undefined {
  const [problem] = [...document.errors, ...document.warnings]
  return problem === undefined ? faultWithin(yaml, document.contents) : { offset: problem.pos[0], text: problemText(problem) }
}

/** The library's own words, unless they are meant for programmers. */
function problemText({ code, message }: { readonly code: string; readonly message: string }): string {
  if (code === 'MULTIPLE_DOCS') return 'a second document begins here, and the file may hold one'
  return message.split('\n', 1)[0] ?? 'malformed YAML'
}

/** In the order of the text. Not by the library's `visit`, which takes longer than the reading. */
function faultWithin(yaml: typeof yamlModule, contents: unknown): YamlFault | undefined {
  const left: unknown[] = [contents]
  while (left.length > 0) {
    const node = left.pop()
    if (!yaml.isNode(node)) continue
    // An alias can make a small file a great value, and lets one place of a document change another.
    if (yaml.isAlias(node) || node.anchor !== undefined) return { offset: startOf(node), text: 'anchors and aliases are not read here' }
    if (yaml.isSeq(node)) left.push(...node.items.toReversed())
    if (!yaml.isMap(node)) continue
    // The library's own check compares each key with each other one.
    const names = new Set<unknown>()
    for (const { key } of node.items) {
      const name = yaml.isScalar(key) ? key.value : key
      if (names.has(name)) return { offset: yaml.isNode(key) ? startOf(key) : startOf(node), text: 'Map keys must be unique' }
      names.add(name)
    }
    for (const { key, value } of node.items.toReversed()) left.push(value, key)
  }
  return undefined
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0
}
