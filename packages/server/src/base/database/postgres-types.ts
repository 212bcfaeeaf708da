/** What columns of PostgreSQL become: the same values that SQLite gives. */
import { CountersignError } from '@countersign/core/failure'
import { types } from 'pg'

// OIDs of pg_type.dat.
const parsers = new Map<number, (text: string) => unknown>([
  [16, (text) => (text === 't' ? 1 : 0)], // bool
  [17, bytes], // bytea
  [20, safeInteger], // int8
  [1700, safeNumeric], // numeric: what sum() of integers gives
])

/** Parsers for the driver: of bool, bytea, int8 and numeric ours, of the others its own. */
export const postgresTypes: { readonly getTypeParser: typeof types.getTypeParser } = {
  getTypeParser: ((oid: Parameters<typeof types.getTypeParser>[0], format?: 'text') =>
    (format === undefined || format === 'text' ? parsers.get(oid) : undefined) ??
    types.getTypeParser(oid, format)) as typeof types.getTypeParser,
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'))
}

/** A number beyond 2^53 would be another one in JavaScript. */
function safeInteger(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  throw new CountersignError('database_failed', 'an integer of the database is outside of ±(2^53 - 1)', { found: text.slice(0, 40) })
}

function safeNumeric(text: string): number {
  return text.includes('.') ? Number(text) : safeInteger(text)
}
