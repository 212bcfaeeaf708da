/**
 * Bounds what is held of requests that arrive. Hostile: thousands of connections that each send a great body, or most of one and then nothing, until
 * the memory is full.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Takes part in the bound. `false`: there is no room, and nothing of the request shall be read. */
export type Receiving = (request: IncomingMessage, response: ServerResponse) => boolean

/** Bodies up to this are bounded by the number of connections. */
const smallBytes = 16_384

/**
 * Counts the bytes of greater bodies from their arrival until their answer has gone. When they become too many, whoever has been sending for the
 * longest is cut off: who has something to say has said it in a moment.
 */
export function receivingWithin(mostBytes: number): Receiving {
  const arriving = new Map<IncomingMessage, { bytes: number }>()
  let held = 0
  const forget = (request: IncomingMessage, own: { bytes: number }): void => {
    arriving.delete(request)
    held -= own.bytes
    own.bytes = 0
  }
  const makeRoom = (): void => {
    for (const [oldest, own] of arriving) {
      if (held <= mostBytes) return
      forget(oldest, own)
      oldest.destroy()
    }
  }
  return (request, response) => {
    const { headers } = request
    if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) <= smallBytes) return true
    if (held >= mostBytes && arriving.size === 0) return false
    const own = { bytes: 0 }
    arriving.set(request, own)
    const push = request.push.bind(request)
    request.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
      own.bytes += chunk?.length ?? 0
      held += chunk?.length ?? 0
      if (chunk === null) arriving.delete(request)
      else if (held > mostBytes) makeRoom()
      return push(chunk, encoding)
    }
    response.once('close', () => forget(request, own))
    return true
  }
}
