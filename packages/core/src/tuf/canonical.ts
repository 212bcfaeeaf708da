/** OLPC canonical JSON: what TUF's signatures are over (TUF specification 1.0.31 §4.2.1). */
import { utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import type { JsonObject, JsonValue } from '../json/parse.ts'

const maxDepth = 32

/**
 * The canonical UTF-8 form: members sorted, no space, integers only, and strings that escape nothing but `"` and `\`. Other than RFC 8785, a line
 * break in a string stands there as it is. Throws `json_malformed` for a number that is no safe integer, `json_too_deep`.
 */
export function tufCanonicalJson(value: JsonValue): Uint8Array {
  return utf8(write(value, 0))
}

function write(value: JsonValue, depth: number): string {
  if (depth > maxDepth) throw new CountersignError('json_too_deep', `TUF metadata nests deeper than ${maxDepth} levels`)
  if (typeof value === 'string') return quote(value)
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return String(value)
    throw new CountersignError('json_malformed', `${value} has no form in canonical JSON, which knows integers only`)
  }
  if (isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(',')}]`
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${quote(name)}:${write(value[name] as JsonValue, depth + 1)}`).join(',')}}`
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

function isArray(value: readonly JsonValue[] | JsonObject): value is readonly JsonValue[] {
  return Array.isArray(value)
}
