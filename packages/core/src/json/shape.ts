/**
 * Readers for the fields of a parsed JSON document. Each failure has the caller's code and names the place, as in `$.subject[2].digest`.
 *
 * Where a document is the JSON form of a protobuf message ("protojson"), these readers accept what every writer emits and no more: lowerCamelCase
 * names only, enums by name only, bytes as canonical standard base64 only. Go's protojson also reads snake_case names, enum numbers and
 * base64url, with or without padding; each is a second spelling of one document that other verifiers do not read, so they are refused.
 * As protojson demands, `null` is an absent field, an absent number is 0, and a 64-bit integer may be a number or a string.
 */
import { base64ToBytes } from '../base64.ts'
import { CountersignError, type FailureCode, type FailureParts } from '../failure.ts'
import { closest } from './nearest-name.ts'
import type { JsonObject, JsonValue } from './parse.ts'

/** A value (or its absence), where it stands, and the code with which its readers fail. {@link placed} makes one of another value. */
export class Place {
  readonly value: JsonValue | undefined
  readonly code: FailureCode
  private readonly within: Place | undefined
  private readonly name: string | number | undefined

  /** Of a member or an item of the place `within`, or without a name that place itself; in no other place, the name is the whole path. */
  constructor(value: JsonValue | undefined, code: FailureCode, within: Place | undefined, name: string | number | undefined) {
    this.value = value
    this.code = code
    this.within = within
    this.name = name
  }

  /** Where it stands, as in `$.subject[2].digest`; put together when it is asked for, which in what is well formed is seldom. */
  get path(): string {
    const { within, name } = this
    if (within === undefined) return String(name)
    if (name === undefined) return within.path
    if (typeof name === 'number') return `${within.path}[${name}]`
    return plainName.test(name) ? `${within.path}.${name}` : `${within.path}[${JSON.stringify(name.slice(0, 80))}]`
  }
}

const plainName = /^[A-Za-z_][A-Za-z0-9_]{0,79}$/

/** Gives the place of one member, present or not. */
export type Members = (name: string) => Place

/** The whole document as a place. */
export function documentPlace(value: JsonValue, code: FailureCode): Place {
  return rootPlace(value, code, '$')
}

/** A place that is in no other, with a path of its own. */
export function rootPlace(value: JsonValue | undefined, code: FailureCode, path: string): Place {
  return new Place(value, code, undefined, path)
}

/** Another value at the same place: what a text stands for, such as the document in it. */
export function placed(at: Place, value: JsonValue | undefined): Place {
  return new Place(value, at.code, at, undefined)
}

/** Fails with the code of the place and a text that begins with its path. */
export function refuse(at: Place, detail: string, parts: FailureParts = {}): never {
  throw new CountersignError(at.code, `${at.path}: ${detail}`, parts)
}

/** True when the member is absent or `null`. */
export function isAbsent(at: Place): boolean {
  return at.value === undefined || at.value === null
}

/** Reads a field that may be absent or `null`. */
export function optional<T>(at: Place, read: (at: Place) => T): T | undefined {
  return isAbsent(at) ? undefined : read(at)
}

/** An object whose members are all among `known`: an unknown field is refused, since it may change the meaning of the known ones. */
export function members(at: Place, known: readonly string[]): Members {
  const object = readObject(at)
  for (const name of Object.keys(object)) {
    if (known.includes(name)) continue
    const near = closest(name, known)
    refuse(
      at,
      `unknown field ${JSON.stringify(name.slice(0, 80))}`,
      near === undefined ? {} : { hint: `Did you mean ${JSON.stringify(near)}?` },
    )
  }
  return memberOf(at, object)
}

/** Which of these members an object has. Fails when it has none of them, or several. */
export function oneMember<const Name extends string>(at: Place, field: Members, names: readonly Name[]): Name {
  const [name, more] = names.filter((each) => !isAbsent(field(each)))
  if (name !== undefined && more === undefined) return name
  return refuse(at, `expected one of ${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`)
}

/** An object that may have other members than those that will be read. */
export function openMembers(at: Place): Members {
  return memberOf(at, readObject(at))
}

/** Any object. */
export function readObject(at: Place): JsonObject {
  const { value } = at
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(at, `expected an object, found ${kindOf(value)}`)
  return value as JsonObject
}

/** Every member of an object as a place; at most `max`. */
export function entries(at: Place, max: number): readonly (readonly [string, Place])[] {
  const object = readObject(at)
  const names = Object.keys(object)
  if (names.length > max) refuse(at, `${names.length} members`, { expected: `at most ${max}` })
  const member = memberOf(at, object)
  return names.map((name) => [name, member(name)] as const)
}

/** The items of an array of at most `max`. */
export function items(at: Place, max: number): readonly Place[] {
  const { value } = at
  if (!Array.isArray(value)) return refuse(at, `expected an array, found ${kindOf(value)}`)
  if (value.length > max) refuse(at, `${value.length} items`, { expected: `at most ${max}` })
  return (value as readonly JsonValue[]).map((item, index) => new Place(item, at.code, at, index))
}

/** Refuses two items of one name. `what` they are, in the plural. */
export function refuseTwice(at: Place, named: readonly { readonly name: string }[], what: string): void {
  const names = new Set<string>()
  for (const { name } of named) {
    if (names.has(name)) refuse(at, `two ${what} are called ${name}`)
    names.add(name)
  }
}

/** The items of an array that may be absent. */
export function optionalItems(at: Place, max: number): readonly Place[] {
  return isAbsent(at) ? [] : items(at, max)
}

/** A string; any length that the document's own bound allows. */
export function text(at: Place): string {
  return typeof at.value === 'string' ? at.value : refuse(at, `expected a string, found ${kindOf(at.value)}`)
}

/** A string of at least one character. */
export function nonEmptyText(at: Place): string {
  return text(at) === '' ? refuse(at, 'expected a string that is not empty') : text(at)
}

/** A map of strings; at most `max`. */
export function textMap(at: Place, max: number): Readonly<Record<string, string>> {
  const map: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [name, place] of entries(at, max)) map[name] = text(place)
  return map
}

/** A JSON number that is an integer from 0 to 2^53-1. */
export function count(at: Place): number {
  const { value } = at
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    return refuse(at, `expected an integer from 0 to 2^53-1, found ${typeof value === 'number' ? String(value) : kindOf(value)}`)
  }
  return value === 0 ? 0 : value
}

/** A 64-bit integer of protojson, as string or number, from 0 to 2^53-1; absent is 0. */
export function int64(at: Place): number {
  const { value } = at
  if (value === undefined || value === null) return 0
  if (typeof value !== 'string') return count(at)
  const number = /^(?:0|[1-9][0-9]{0,15})$/.test(value) ? Number(value) : Number.NaN
  return Number.isSafeInteger(number) ? number : refuse(at, 'expected an integer from 0 to 2^53-1', { found: value.slice(0, 40) })
}

/** Bytes in canonical standard base64 (RFC 4648 §4); not empty. */
export function base64Bytes(at: Place): Uint8Array {
  const encoded = text(at)
  if (encoded === '') refuse(at, 'expected bytes in base64, found none')
  try {
    return base64ToBytes(encoded)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError(at.code, `${at.path}: ${cause.message}`, { cause })
  }
}

/** One of the names of an enumeration. */
export function oneOf<const Name extends string>(at: Place, names: readonly Name[]): Name {
  const name = text(at)
  const found = names.find((candidate) => candidate === name)
  return found ?? refuse(at, 'not one of the values that are supported', { expected: names.join(', '), found: name.slice(0, 80) })
}

function memberOf(at: Place, object: JsonObject): Members {
  return (name) => new Place(Object.hasOwn(object, name) ? object[name] : undefined, at.code, at, name)
}

function kindOf(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
