/**
 * Writes DER from its end to its beginning: the head of an element holds its length, which is known when its content is there. So every byte is
 * written once, into one place, where `writer.ts` copies each element into each one around it. For what is written thousands of times a second.
 */
import { CountersignError } from '../failure.ts'
import { derHeadLength, writeDerLength } from './writer.ts'

/** A place that fills from its end; `from` is where what was written begins. */
export type DerBackward = { readonly space: Uint8Array; from: number }

/** An empty place for so many bytes at most. */
export function derBackward(capacity: number): DerBackward {
  return { space: new Uint8Array(capacity), from: capacity }
}

/** Writes bytes before what is there. Throws `internal` when there is no place for them. */
export function putBytes(to: DerBackward, bytes: Uint8Array): void {
  take(to, bytes.length)
  to.space.set(bytes, to.from)
}

/**
 * Makes what stands before `end` one element: writes its length and, before that, its first byte (class, form and a tag number below 31). Throws
 * `internal` when there is no place for them.
 */
export function putHead(to: DerBackward, identifier: number, end: number): void {
  const length = end - to.from
  const head = derHeadLength(length)
  take(to, head)
  to.space[to.from] = identifier
  writeDerLength(to.space, to.from, length, head)
}

/** What was written: a view, without a copy. */
export function writtenBytes({ space, from }: DerBackward): Uint8Array {
  return space.subarray(from)
}

function take(to: DerBackward, bytes: number): void {
  to.from -= bytes
  // A typed array ignores what is written before its beginning.
  if (to.from < 0) throw new CountersignError('internal', 'a place for DER is too small')
}
