/** JSON canonicalization scheme, RFC 8785. */
import { utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import type { JsonObject, JsonValue } from './parse.ts'

const maxDepth = 128

/**
 * The canonical UTF-8 form: no space, members sorted by UTF-16 code units (§3.2.3), numbers and strings as ECMAScript writes them (§3.2.2).
 * Throws `json_malformed` on a number that is not finite or a lone surrogate, `json_too_deep` beyond 128 levels.
 */
export function canonicalJson(value: JsonValue): Uint8Array {
  return utf8(write(value, 0))
}

function write(value: JsonValue, depth: number): string {
  if (depth > maxDepth) throw new CountersignError('json_too_deep', `the JSON value nests deeper than ${maxDepth} levels`)
  if (typeof value === 'string') return quote(value)
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new CountersignError('json_malformed', `${value} has no JSON form (RFC 8785 §3.2.2.3)`)
  }
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(',')}]`
  // The default sort compares UTF-16 code units, which is what §3.2.3 demands.
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${quote(name)}:${write(value[name] as JsonValue, depth + 1)}`).join(',')}}`
}

function quote(text: string): string {
  if (!text.isWellFormed()) throw new CountersignError('json_malformed', 'a lone surrogate has no JSON form (RFC 8785 §3.2.2.2)')
  return JSON.stringify(text)
}

function isArray(value: readonly JsonValue[] | JsonObject): value is readonly JsonValue[] {
  return Array.isArray(value)
}
