/** Parallel work with a bound, and reading a stream with a bound. */
import { collectBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'

/** Runs a task when fewer than the bound are under way; tasks start in the order in which they came. */
export type Gate = <T>(task: () => Promise<T>) => Promise<T>

/** Makes a gate that lets `width` tasks through at the same time. */
export function gate(width: number): Gate {
  let free = width
  const waiting: (() => void)[] = []
  return async (task) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    }
  }
}

/**
 * Collects a stream. Throws `limit_exceeded` as soon as it is longer than `maxBytes`: the sender may never stop. `count` is told of each part
 * that arrives, and ends the reading by throwing.
 */
export async function readAll(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
  what: string,
  count: (bytes: number) => void,
): Promise<Uint8Array> {
  const collected = collectBytes()
  let length = 0
  for await (const chunk of stream) {
    count(chunk.length)
    length += chunk.length
    if (length > maxBytes) throw new CountersignError('limit_exceeded', `${what} is longer than ${maxBytes} bytes`)
    // The source may fill the same memory again.
    collected.add(new Uint8Array(chunk))
  }
  return collected.join()
}
