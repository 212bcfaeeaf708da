/** As much of Protocol Buffers (encoding, wire types 0 and 2) as one call of the SPIFFE Workload API needs. */
import { concatBytes, utf8 } from '@countersign/core/bytes'

/** A text field. */
export function textField(number: number, text: string): Uint8Array {
  const bytes = utf8(text)
  return concatBytes(varint(number * 8 + 2), varint(bytes.length), bytes)
}

/** Values of the length-delimited fields of that number; `undefined` for what is no message. */
export function fieldsOf(message: Uint8Array, number: number): readonly Uint8Array[] | undefined {
  const found: Uint8Array[] = []
  let at = 0
  while (at < message.length) {
    const key = readVarint(message, at)
    const value = key === undefined ? undefined : readVarint(message, key.next)
    if (key === undefined || value === undefined) return undefined
    at = value.next
    if (key.value % 8 === 0) continue
    const end = at + value.value
    if (key.value % 8 !== 2 || end > message.length) return undefined
    if (Math.floor(key.value / 8) === number) found.push(message.subarray(at, end))
    at = end
  }
  return found
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Uint8Array.from([...bytes, rest])
}

function readVarint(bytes: Uint8Array, start: number): { readonly value: number; readonly next: number } | undefined {
  let value = 0
  for (let at = start, scale = 1; at < start + 7; at++, scale *= 128) {
    const byte = bytes[at]
    if (byte === undefined) return undefined
    value += (byte % 128) * scale
    if (byte < 128) return { value, next: at + 1 }
  }
  return undefined
}
