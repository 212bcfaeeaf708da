/**
 * One file that holds many small objects: each behind a line that says what it is and how long. New ones are appended.
 *
 * Whoever is killed while appending leaves half a record. What cannot be read ends the reading: what stands before it is there, what stands
 * behind it is not, and the next who writes writes the file anew.
 */
import { concatBytes, utf8 } from '@countersign/core/bytes'

/** One object and its name, of lower-case letters, digits and hyphens. */
export type PackRecord = { readonly name: string; readonly bytes: Uint8Array }

/** What a pack holds: the last record of each name, and whether all of it could be read. */
export type Pack = { readonly records: ReadonlyMap<string, Uint8Array>; readonly whole: boolean }

const newline = 0x0a
/** The longest line: a name of 160 characters and a length of 9 digits. */
const maxHeadBytes = 172
const head = /^([a-z0-9-]{1,160}) (0|[1-9][0-9]{0,8})$/

/** Records as bytes that can be appended to a pack. */
export function encodeRecords(records: Iterable<PackRecord>): Uint8Array {
  const parts: Uint8Array[] = []
  for (const { name, bytes } of records) parts.push(utf8(`${name} ${bytes.length}\n`), bytes, Uint8Array.of(newline))
  return concatBytes(...parts)
}

/** Reads a pack; the bytes of its records are views of `document`. Nothing about them is checked. */
export function decodePack(document: Uint8Array): Pack {
  const records = new Map<string, Uint8Array>()
  for (let at = 0; at < document.length;) {
    const end = document.subarray(at, at + maxHeadBytes).indexOf(newline)
    const match = end < 0 ? null : head.exec(ascii(document.subarray(at, at + end)))
    const start = at + end + 1
    const length = Number(match?.[2] ?? 0)
    if (match?.[1] === undefined || document[start + length] !== newline) return { records, whole: false }
    records.set(match[1], document.subarray(start, start + length))
    at = start + length + 1
  }
  return { records, whole: true }
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}
