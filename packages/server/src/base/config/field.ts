/**
 * The table from which a configuration is read, checked, shown and described: each field knows its reader, its JSON Schema and its view, so that
 * document, schema and `config view` cannot differ. Rooms make their own sections from these.
 */
import { resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { isAbsent, items, members, oneOf, openMembers, type Place, placed, refuse, text } from '@countersign/core/json/shape'
import type { JsonValue } from '@countersign/core/json/parse'
import { parseSecretReference, type SecretReference } from './reference.ts'

/** What reading needs beside the document: the folder from which relative paths count. */
export type FieldContext = { readonly folder: string }

/** A JSON Schema. */
export type FieldSchema = { readonly [name: string]: JsonValue }

/** One kind of value. `read` refuses with the code and path of its place. */
export type Field<T> = {
  readonly schema: FieldSchema
  readonly read: (at: Place, context: FieldContext) => T
}

/** A member of a group: a field, what it is for, and what holds when it is not there. */
export type Member<T> = {
  readonly field: Field<T>
  readonly help: string
  readonly otherwise: () => T
  readonly shown: JsonValue | undefined
}

/** A member that may be absent, with what then holds; `shown` says it in the schema where the value itself does not. */
export function member<T>(help: string, field: Field<T>, otherwise: T, shown?: JsonValue): Member<T> {
  const plain = typeof otherwise === 'string' || typeof otherwise === 'number' || typeof otherwise === 'boolean' ? otherwise : undefined
  return { field, help, otherwise: () => otherwise, shown: shown ?? plain }
}

/** A mapping with these members and no others. Absent members have their default. */
export function group<T extends object>(
  fields: { readonly [Name in keyof T]: Member<T[Name]> },
  required: readonly (keyof T & string)[] = [],
): Field<T> {
  const names = Object.keys(fields) as (keyof T & string)[]
  const properties = Object.fromEntries(
    names.map((name) => {
      const { field, help, shown } = fields[name]
      return [name, { ...field.schema, description: help, ...(shown === undefined || required.includes(name) ? {} : { default: shown }) }]
    }),
  )
  return {
    schema: { type: 'object', properties, additionalProperties: false, ...(required.length === 0 ? {} : { required: [...required] }) },
    read: (at, context) => {
      const place = members(at, names)
      const read = names.map((name): [string, unknown] => {
        const there = place(name)
        if (!isAbsent(there)) return [name, fields[name].field.read(there, context)]
        return [
          name,
          required.includes(name) ? refuse(at, `${name} is missing`, { expected: fields[name].help }) : fields[name].otherwise(),
        ]
      })
      return Object.fromEntries(read) as T
    },
  }
}

/** One of several groups, told apart by the member `kind`. */
export function variant<T extends { readonly kind: string }>(kinds: {
  readonly [Kind in T['kind']]: Field<Omit<Extract<T, { kind: Kind }>, 'kind'>>
}): Field<T> {
  const names = Object.keys(kinds) as T['kind'][]
  return {
    schema: { oneOf: names.map((name) => withKind(kinds[name].schema, name)) },
    read: (at, context) => {
      if (isAbsent(at)) return refuse(at, 'expected an object')
      const { value } = at
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(at, 'expected an object')
      const { kind: _kind, ...rest } = value as Record<string, JsonValue>
      const name = oneOf(openMembers(at)('kind'), names)
      return { kind: name, ...kinds[name].read(placed(at, rest), context) } as unknown as T
    },
  }
}

function withKind(schema: FieldSchema, kind: string): FieldSchema {
  const required = Array.isArray(schema['required']) ? (schema['required'] as readonly JsonValue[]) : []
  return { ...schema, properties: { kind: { const: kind }, ...(schema['properties'] as object) }, required: ['kind', ...required] }
}

/** A text that is not empty, and fits where `parse` is given. */
export function textField(limit = 4096): Field<string> {
  return {
    schema: { type: 'string', minLength: 1, maxLength: limit },
    read: (at) => {
      const value = text(at)
      return value === '' || value.length > limit ? refuse(at, `expected a text of 1 to ${limit} characters`) : value
    },
  }
}

/** A text that `parse` makes a value of; `undefined` from it refuses. */
export function parsedField<T>(expected: string, parse: (text: string) => T | undefined): Field<T> {
  return {
    schema: { type: 'string', examples: [expected] },
    read: (at) => {
      const value = text(at)
      try {
        return parse(value) ?? refuse(at, 'malformed', { expected, found: value.slice(0, 100) })
      } catch (cause) {
        if (!(cause instanceof CountersignError) || cause.message.startsWith('$')) throw cause
        throw new CountersignError(cause.code, `${at.path}: ${cause.message}`, {
          cause,
          ...(cause.hint === undefined ? {} : { hint: cause.hint }),
        })
      }
    },
  }
}

/** A path; relative ones count from the folder of the document. */
export const pathField: Field<string> = {
  schema: { type: 'string', minLength: 1, maxLength: 4096 },
  read: (at, { folder }) => resolve(folder, textField().read(at, { folder })),
}

/** Where a secret is. What is refused is not shown: it may be the secret itself. */
export const secretField: Field<SecretReference> = {
  schema: { type: 'string', pattern: '^(file|env|credential):.+$' },
  read: (at, { folder }) => {
    const reference = parseSecretReference(text(at))
    if (reference === undefined)
      return refuse(at, 'a secret is not written here but named', { expected: 'file:PATH, env:NAME or credential:NAME' })
    return reference.kind === 'file' ? { kind: 'file', name: resolve(folder, reference.name) } : reference
  },
}

/** One of these words. */
export function choiceField<const Name extends string>(names: readonly Name[]): Field<Name> {
  return { schema: { enum: [...names] }, read: (at) => oneOf(at, names) }
}

/** True or false. */
export const booleanField: Field<boolean> = {
  schema: { type: 'boolean' },
  read: (at) => (typeof at.value === 'boolean' ? at.value : refuse(at, 'expected true or false')),
}

/** A whole number in these bounds. */
export function integerField(minimum: number, maximum: number): Field<number> {
  return {
    schema: { type: 'integer', minimum, maximum },
    read: (at) => {
      const { value } = at
      if (typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum && value <= maximum) return value
      return refuse(at, 'not a number that is taken here', { expected: `a whole number from ${minimum} to ${maximum}` })
    },
  }
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A duration (`500ms`, `30s`, `5m`, `2h`, `7d`) in these bounds, as milliseconds. */
export function durationField(minimumMs: number, maximumMs: number): Field<number> {
  return {
    schema: { type: 'string', pattern: '^[0-9]{1,9}(ms|s|m|h|d)$' },
    read: (at) => {
      const match = /^([0-9]{1,9})(ms|s|m|h|d)$/.exec(text(at))
      const value = match === null ? Number.NaN : Number(match[1]) * (units[match[2] as string] as number)
      if (value >= minimumMs && value <= maximumMs) return value
      return refuse(at, 'not a duration that is taken here', {
        expected: `as 30s or 5m, from ${formatDuration(minimumMs)} to ${formatDuration(maximumMs)}`,
      })
    },
  }
}

/** A duration in its largest whole unit. */
export function formatDuration(ms: number): string {
  const unit = ['d', 'h', 'm', 's'].find((name) => ms >= (units[name] as number) && ms % (units[name] as number) === 0) ?? 'ms'
  return `${ms / (units[unit] as number)}${unit}`
}

/** A list of at most `max`. */
export function listField<T>(field: Field<T>, max: number): Field<readonly T[]> {
  return {
    schema: { type: 'array', items: field.schema, maxItems: max },
    read: (at, context) => items(at, max).map((item) => field.read(item, context)),
  }
}

/** The same field for a member that has no value when it is absent. */
export function maybe<T>(field: Field<T>): Field<T | undefined> {
  return field
}
