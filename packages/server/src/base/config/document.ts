/** The configuration document: YAML 1.2 or JSON, read strictly; failures name file, line and column. */
import { CountersignError } from '@countersign/core/failure'
import { documentPlace } from '@countersign/core/json/shape'
import type { JsonValue } from '@countersign/core/json/parse'
import { type Document, isAlias, isCollection, isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml'
import type { Field } from './field.ts'

/** A document of an operator, not of a stranger: the bound is against the wrong file. */
const maxCharacters = 1024 * 1024

/** A value and where in the file each of its parts is. */
export type ReadConfiguration<T> = {
  readonly value: T
  /** Every leaf that the file sets: its path (`$.limits.drain`), what is written there, and `FILE:LINE:COLUMN`. */
  readonly settings: readonly ConfigurationSetting[]
}

/** One leaf of the file. Secrets are references, so that it can be shown as it is written. */
export type ConfigurationSetting = { readonly path: string; readonly value: JsonValue; readonly place: string }

/**
 * Reads a document by a field. `name` is how messages call the file, `folder` where its relative paths count from.
 * Throws `config_malformed` as `NAME:LINE:COLUMN: what`.
 */
export function readConfiguration<T>(text: string, name: string, folder: string, field: Field<T>): ReadConfiguration<T> {
  if (text.length > maxCharacters) throw new CountersignError('config_malformed', `${name}: larger than ${maxCharacters} characters`)
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2', uniqueKeys: true, stringKeys: true })
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${name}:${line}:${col}`
  }
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined)
    throw new CountersignError('config_malformed', `${at(problem.pos[0])}: ${problem.message.split('\n', 1)[0] ?? 'malformed'}`)
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node) || node.anchor !== undefined || (node.tag !== undefined && !isCollection(node) && !isScalar(node)))
        throw new CountersignError('config_malformed', `${at(node.range?.[0] ?? 0)}: anchors, aliases and tags are not read here`)
    },
  })
  const value = (document.toJS({ maxAliasCount: 0 }) ?? {}) as JsonValue
  try {
    return { value: field.read(documentPlace(value, 'config_malformed'), { folder }), settings: settingsOf(document, at) }
  } catch (cause) {
    throw located(cause, document, at)
  }
}

/** A failure whose text begins with a path, as one of a place in the file. */
function located(cause: unknown, document: Document.Parsed, at: (offset: number) => string): unknown {
  if (!(cause instanceof CountersignError)) return cause
  const path = /^\$(?:\.[A-Za-z_][A-Za-z0-9_]{0,79}|\[[0-9]{1,6}\]|\["[^"\\]{1,80}"\]){0,20}/.exec(cause.message)?.[0]
  if (path === undefined) return cause
  const unknown = /: unknown field "([A-Za-z0-9_-]{1,80})"/.exec(cause.message)?.[1]
  const steps = [...path.slice(1).matchAll(/\.([A-Za-z0-9_]+)|\["([^"]+)"\]|\[([0-9]+)\]/g)].map(
    (step) => step[1] ?? step[2] ?? Number(step[3]),
  )
  const { expected, found, hint } = cause
  return new CountersignError(
    cause.code,
    `${at(offsetOf(document, unknown === undefined ? steps : [...steps, unknown]))}: ${cause.message}`,
    {
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
      ...(hint === undefined ? {} : { hint }),
      cause,
    },
  )
}

/** Where the deepest part of a path that exists begins. */
function offsetOf(document: Document.Parsed, steps: readonly (string | number)[]): number {
  let node: unknown = document.contents
  let offset = startOf(node)
  for (const step of steps) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step)
      if (pair === undefined) return offset
      offset = startOf(pair.key)
      node = pair.value
    } else if (isSeq(node) && typeof step === 'number' && isNode(node.items[step])) {
      node = node.items[step]
      offset = startOf(node)
    } else return offset
  }
  return offset
}

function settingsOf(document: Document.Parsed, at: (offset: number) => string): readonly ConfigurationSetting[] {
  const settings: ConfigurationSetting[] = []
  const walk = (node: unknown, path: string): void => {
    if (isMap(node)) for (const { key, value } of node.items) walk(value, `${path}.${isScalar(key) ? String(key.value) : '?'}`)
    else if (isSeq(node)) for (const [index, item] of node.items.entries()) walk(isPair(item) ? item.value : item, `${path}[${index}]`)
    else if (isScalar(node)) settings.push({ path, value: node.value as JsonValue, place: at(startOf(node)) })
  }
  walk(document.contents, '$')
  return settings
}

function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0
}
