import { describe, expect, it } from 'vitest'
import { importCycles, localImports } from '../boundaries/imports.ts'
import { lineAt, parse, percentile, productionFiles, read, walk } from './source.ts'

const sources = productionFiles().map((path) => {
  const text = read(path)
  return { path, text, lines: text.trimEnd().split('\n').length, tree: parse(text) }
})

describe('the size of files', () => {
  const lines = sources.map((source) => source.lines)

  it('has a median of at most 120 lines', () => {
    expect(percentile(lines, 0.5)).toBeLessThanOrEqual(120)
  })

  it('has a 90th percentile of at most 300 lines', () => {
    expect(percentile(lines, 0.9)).toBeLessThanOrEqual(300)
  })

  it('never exceeds 500 lines', () => {
    expect(sources.filter((source) => source.lines > 500).map((source) => `${source.path}: ${source.lines}`)).toEqual([])
  })
})

describe('the size of functions', () => {
  it('has a 95th percentile of at most 45 lines, one-expression arrows not counted', () => {
    const functions = sources.flatMap(({ path, text, tree }) =>
      [...walk(tree)]
        .filter((node) => /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type))
        .filter((node) => (node['body'] as { type?: string } | null)?.type === 'BlockStatement')
        .map((node) => ({ where: `${path}:${lineAt(text, node.start)}`, lines: text.slice(node.start, node.end).split('\n').length })),
    )
    const long = functions.filter((one) => one.lines > 45).sort((a, b) => b.lines - a.lines)
    expect(
      percentile(
        functions.map((one) => one.lines),
        0.95,
      ),
      `longest:\n${long
        .slice(0, 20)
        .map((one) => `${one.where} ${one.lines}`)
        .join('\n')}`,
    ).toBeLessThanOrEqual(45)
  })
})

describe('what does not occur', () => {
  it('has no cycle of modules that load one another', () => {
    const graph = new Map(sources.map((source) => [source.path, localImports(source.path, source.text, 'loading')]))
    expect(importCycles(graph)).toEqual([])
  })

  it('has no `any`', () => {
    expect(
      sources.flatMap(({ path, text, tree }) =>
        [...walk(tree)].filter((node) => node.type === 'TSAnyKeyword').map((node) => `${path}:${lineAt(text, node.start)}`),
      ),
    ).toEqual([])
  })

  it('throws no plain Error: a failure has a code', () => {
    const plain = sources.flatMap(({ path, text, tree }) =>
      [...walk(tree)]
        .filter((node) => node.type === 'ThrowStatement' && (node['argument'] as { type: string }).type === 'NewExpression')
        .filter((node) =>
          /^(Error|TypeError|RangeError)$/.test(
            String(((node['argument'] as Record<string, Record<string, unknown>>)['callee'] as Record<string, unknown>)['name']),
          ),
        )
        .map((node) => `${path}:${lineAt(text, node.start)}`),
    )
    expect(plain).toEqual([])
  })

  it('has no abstract class', () => {
    expect(
      sources
        .filter(({ tree }) => [...walk(tree)].some((node) => node.type === 'ClassDeclaration' && node['abstract'] === true))
        .map(({ path }) => path),
    ).toEqual([])
  })
})
