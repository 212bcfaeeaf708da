/** As much of JSON Schema 2020-12 as the schema of policies uses: samples of it, and whether a value satisfies it. */
import * as fc from 'fast-check'
import type { JsonValue } from '../../src/json/parse.ts'

/** A schema. */
export type Schema = { readonly [keyword: string]: unknown } | boolean

type Keywords = Exclude<Schema, boolean>

function resolve(root: Schema, schema: Schema): Keywords {
  if (typeof schema === 'boolean') return schema ? {} : { not: {} }
  const ref = schema['$ref']
  if (typeof ref !== 'string') return schema
  const defs = (root as Keywords)['$defs'] as Record<string, Schema>
  return {
    ...resolve(root, defs[ref.slice('#/$defs/'.length)] as Schema),
    ...Object.fromEntries(Object.entries(schema).filter(([name]) => name !== '$ref')),
  }
}

/** Whether a value satisfies a schema. */
export function accepts(root: Schema, value: unknown, at: Schema = root): boolean {
  if (at === false) return false
  const schema = resolve(root, at)
  const list = (name: string): readonly Schema[] | undefined => schema[name] as readonly Schema[] | undefined
  if ('not' in schema) return false
  if ('const' in schema && schema['const'] !== value) return false
  if (Array.isArray(schema['enum']) && !schema['enum'].includes(value)) return false
  if (list('anyOf')?.some((each) => accepts(root, value, each)) === false) return false
  const one = list('oneOf')
  if (one !== undefined && one.filter((each) => accepts(root, value, each)).length !== 1) return false
  if (typeof schema['type'] === 'string' && !isOfType(schema['type'], value)) return false
  if (typeof value === 'string') return acceptsText(schema, value)
  if (typeof value === 'number') return value >= ((schema['minimum'] as number | undefined) ?? value)
  if (Array.isArray(value)) {
    const { minItems = 0, maxItems = value.length } = schema as { minItems?: number; maxItems?: number }
    return (
      value.length >= minItems &&
      value.length <= maxItems &&
      value.every((item) => accepts(root, item, (schema['items'] as Schema | undefined) ?? true))
    )
  }
  return typeof value !== 'object' || value === null || acceptsObject(root, schema, value)
}

function isOfType(type: string, value: unknown): boolean {
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === type
}

function acceptsText(schema: Keywords, value: string): boolean {
  const { minLength = 0, maxLength = value.length, pattern = '' } = schema as { minLength?: number; maxLength?: number; pattern?: string }
  const dated = schema['format'] !== 'date-time' || /^\d{4}-\d\d-\d\dT.*Z$/.test(value)
  return value.length >= minLength && value.length <= maxLength && new RegExp(pattern, 'u').test(value) && dated
}

function acceptsObject(root: Schema, schema: Keywords, value: object): boolean {
  const properties = (schema['properties'] ?? {}) as Record<string, Schema>
  const further = schema['additionalProperties'] as Schema | undefined
  const names = schema['propertyNames'] as Schema | undefined
  if (((schema['required'] ?? []) as string[]).some((name) => !Object.hasOwn(value, name))) return false
  return Object.entries(value).every(
    ([name, item]) =>
      (names === undefined || accepts(root, name, names)) &&
      accepts(root, item, Object.hasOwn(properties, name) ? (properties[name] ?? true) : (further ?? true)),
  )
}

/** Values that satisfy a schema, small ones mostly. */
export function sample(root: Schema): fc.Arbitrary<unknown> {
  return build(root, root, 0).filter((value) => accepts(root, value))
}

function build(root: Schema, at: Schema, depth: number): fc.Arbitrary<unknown> {
  const schema = resolve(root, at)
  if ('const' in schema) return fc.constant(schema['const'])
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]))
  const type = schema['type']
  const choices = (schema['oneOf'] ?? schema['anyOf']) as readonly Schema[] | undefined
  if (type === undefined && choices !== undefined) {
    const deep = depth > 6 ? choices.slice(0, 1) : choices
    return fc.oneof(...deep.map((choice) => build(root, choice, depth + 1)))
  }
  if (type === 'boolean') return fc.boolean()
  if (type === 'integer') return fc.integer({ min: 1, max: 2 })
  if (type === 'array')
    return fc.array(build(root, schema['items'] as Schema, depth + 1), {
      minLength: (schema['minItems'] as number | undefined) ?? 0,
      maxLength: 2,
    })
  if (type === 'object') return buildObject(root, schema, choices, depth)
  return buildText(schema)
}

function buildText(schema: Keywords): fc.Arbitrary<string> {
  if (schema['format'] === 'date-time')
    return fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }).map((date) => date.toISOString())
  const { pattern, minLength = 0 } = schema as { pattern?: string; minLength?: number }
  // Few names, so that some refer to what exists.
  if (pattern?.startsWith('^[A-Za-z0-9][') === true) return fc.constantFrom('a', 'b')
  return pattern === undefined ? fc.string({ minLength, maxLength: 12 }) : fc.stringMatching(new RegExp(pattern, 'u'))
}

function buildObject(root: Schema, schema: Keywords, choices: readonly Schema[] | undefined, depth: number): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>)
  const further = schema['additionalProperties'] as Schema | undefined
  if (properties.length === 0) {
    const names = schema['propertyNames'] as Schema | undefined
    return fc.dictionary(
      names === undefined ? fc.constant('k') : build(root, names, depth + 1).map(String),
      build(root, further ?? true, depth + 1),
      { maxKeys: 2 },
    )
  }
  const required = (schema['required'] ?? []) as string[]
  // Of members that exclude one another, one is chosen.
  const sets = (choices ?? [{}]).map((choice) => ((choice as Keywords)['required'] ?? []) as string[])
  const exclusive = new Set(sets.flat())
  return fc.oneof(
    ...sets.map((chosen) => {
      const allowed = properties.filter(([name]) => !exclusive.has(name) || chosen.includes(name))
      const arbitraries = Object.fromEntries(allowed.map(([name, each]) => [name, build(root, each, depth + 1)]))
      return fc.record(arbitraries, { requiredKeys: [...required, ...chosen] as never[] })
    }),
  )
}

/** The document with one member less, one member misspelt, or one value of another type, at every place. */
export function* variations(value: JsonValue): Generator<JsonValue> {
  yield 7
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    for (const [index, item] of (value as JsonValue[]).entries())
      for (const other of variations(item)) yield (value as JsonValue[]).with(index, other)
    return
  }
  const entries = Object.entries(value as { [name: string]: JsonValue })
  for (const [index, [name, item]] of entries.entries()) {
    yield Object.fromEntries(entries.toSpliced(index, 1))
    yield Object.fromEntries(entries.with(index, [`${name}!`, item]))
    for (const other of variations(item)) yield Object.fromEntries(entries.with(index, [name, other]))
  }
}
