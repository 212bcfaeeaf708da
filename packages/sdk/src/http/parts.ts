/** The parts of a stream as they arrive. */
import type { Readable } from 'node:stream'
import { CountersignError } from '@countersign/core/failure'

/**
 * What iterating over the stream itself gives, at less than half of the cost, which counts where hundreds of answers have one part each. Throws
 * the stream's own failure, or one of a connection that ended too early. Whoever stops before the end ends the stream.
 */
export async function* partsOf(stream: Readable): AsyncGenerator<Uint8Array> {
  let wake: (() => void) | undefined
  const woken = (): void => wake?.()
  stream.on('readable', woken).on('end', woken).on('error', woken).on('close', woken)
  try {
    for (;;) {
      const part = stream.read() as Uint8Array | null
      if (part !== null) yield part
      else if (stream.errored !== null) throw stream.errored
      else if (stream.readableEnded) return
      else if (stream.destroyed) throw new CountersignError('registry_unreachable', 'the connection ended before the answer did')
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    if (!stream.readableEnded) stream.destroy()
  }
}
