/**
 * Bounds what is held of answers that are on their way. Hostile: readers who ask for as many great files as there are, and take a byte of them now and
 * then.
 */
import type { ServerResponse } from 'node:http'

/** Takes part in the bound. `false`: there is no room for this answer now. */
export type Answering = (response: ServerResponse, payload: unknown) => boolean

/** What fits into the buffers of the system is soon gone. */
const smallBytes = 65_536
/** Everybody has this, and then a second for each 64 KiB: half a megabit. */
const [graceMs, bytesPerMs] = [60_000, 64]

/** Counts the memory of great answers until they have gone, once for all who are answered with the same; and ends those that take too long. */
export function answeringWithin(mostBytes: number, grace: number = graceMs): Answering {
  const holders = new Map<unknown, number>()
  let held = 0
  return (response, payload) => {
    const bytes = payload instanceof Uint8Array || typeof payload === 'string' ? payload.length : 0
    if (bytes < smallBytes) return true
    const memory: unknown = payload instanceof Uint8Array ? payload.buffer : response
    const own = payload instanceof Uint8Array ? payload.buffer.byteLength : bytes
    const others = holders.get(memory) ?? 0
    if (others === 0 && held + own > mostBytes) return false
    if (others === 0) held += own
    holders.set(memory, others + 1)
    const timer = setTimeout(() => response.destroy(), grace + bytes / bytesPerMs)
    timer.unref()
    response.once('close', () => {
      clearTimeout(timer)
      const left = (holders.get(memory) ?? 1) - 1
      if (left > 0) holders.set(memory, left)
      else {
        holders.delete(memory)
        held -= own
      }
    })
    return true
  }
}
