/** Takes so many bytes at a time from a stream of pieces of any size. */

/** A reader over a stream. */
export type ByteReader = {
  /** So many bytes, fewer only at the end of the stream. */
  readonly upTo: (count: number) => Promise<Uint8Array>
}

/** Reads each piece once, in order; at most `count` bytes and a piece are in memory. */
export function byteReader(pieces: AsyncIterable<Uint8Array>): ByteReader {
  const source = pieces[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array()
  return {
    upTo: async (count) => {
      const taken = new Uint8Array(count)
      let filled = 0
      for (;;) {
        const part = rest.subarray(0, count - filled)
        taken.set(part, filled)
        filled += part.length
        rest = rest.subarray(part.length)
        if (filled === count) return taken
        const next = await source.next()
        if (next.done === true) return taken.subarray(0, filled)
        rest = next.value
      }
    },
  }
}
