import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tableRows } from '../boundaries/map.ts'
import { files, parse, read, root, walk, type Node } from './source.ts'

const documents = files('*.md', 'docs').filter((path) => path.endsWith('.md'))

describe('docs/THREAT-MODEL.md', () => {
  const rows = tableRows(read('docs/THREAT-MODEL.md'), ['Who', 'May try to', 'Refused by', 'Shown by'])

  it('has a table of who may do what harm', () => {
    expect(rows.length).toBeGreaterThan(20)
  })

  it('names for each line a test that exists, by its file and its name', () => {
    const missing = rows.flatMap((row) => {
      const [path, name] = splitOnce(row[3] ?? '', ' › ')
      if (name === undefined || /^(?:%[a-z]|\$\w+)$/.test(name)) return [`${row.join(' | ')}: names no test`]
      if (!existsSync(join(root, path))) return [`${path}: no such file`]
      return testNames(path).some((test) => test.startsWith(name)) ? [] : [`${path} › ${name}: no such test`]
    })
    expect(missing).toEqual([])
  })
})

describe('every document', () => {
  it('links only to files that exist', () => {
    const broken = documents.flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1] ?? '')
        .filter((target) => !existsSync(join(root, dirname(path), target)))
        .map((target) => `${path} → ${target}`),
    )
    expect(broken).toEqual([])
  })

  it('names only files that exist, where it names one of the repository in code marks', () => {
    const broken = documents.flatMap((path) =>
      [...read(path).matchAll(/`((?:packages|test|docs|scripts|bench|\.ci)\/[\w./-]+)`/g)]
        .map((match) => match[1] ?? '')
        .filter((target) => !existsSync(join(root, target)) && target !== 'bench/results/')
        .map((target) => `${path} → ${target}`),
    )
    expect(broken).toEqual([])
  })
})

/**
 * The names of the tests of a file, with `${…}`, `%s` and `$name` left as they are written; of a table of `each` whose name begins with `%s`,
 * also what its rows begin with.
 */
function testNames(path: string): string[] {
  const text = read(path)
  const names: string[] = []
  for (const node of walk(parse(text))) {
    if (node.type !== 'CallExpression') continue
    const first = (node['arguments'] as Node[])[0]
    const callee = node['callee'] as Node
    if (first === undefined || !/^(it|test|describe)\b/.test(text.slice(callee.start, callee.end))) continue
    const name = literalText(first) ?? (first.type === 'TemplateLiteral' ? text.slice(first.start + 1, first.end - 1) : undefined)
    if (name === undefined) continue
    names.push(name)
    if (name.startsWith('%s')) names.push(...firstCells(callee).map((cell) => name.replace('%s', cell)))
  }
  return names
}

/** What the rows of `it.each([[…], …])` begin with, where that is written out. */
function firstCells(callee: Node): string[] {
  const table = callee.type === 'CallExpression' ? (callee['arguments'] as Node[])[0] : undefined
  if (table?.type !== 'ArrayExpression') return []
  return (table['elements'] as Node[]).flatMap((row) => {
    const cell = row.type === 'ArrayExpression' ? (row['elements'] as Node[])[0] : row
    return (cell === undefined ? undefined : literalText(cell)) ?? []
  })
}

function literalText(node: Node): string | undefined {
  return node.type === 'Literal' && typeof node['value'] === 'string' ? node['value'] : undefined
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}
