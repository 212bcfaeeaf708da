/** Bounded parallelism: a fixed number of slots, handed out in the order of asking. */

import { onAbort } from './on-abort.ts'

/** Hands out slots. */
export type Slots = {
  /** Waits for a slot; the function it gives frees it (once; later calls do nothing). Rejects when the signal aborts first. */
  readonly take: (signal: AbortSignal) => Promise<() => void>
}

/** Makes `count` slots. */
export function createSlots(count: number): Slots {
  let free = count
  const waiting = new Set<() => void>()
  const release = (): void => {
    const [next] = waiting
    if (next === undefined) {
      free++
      return
    }
    waiting.delete(next)
    next()
  }
  const once = (): (() => void) => {
    let held = true
    return () => {
      if (held) release()
      held = false
    }
  }
  return {
    take: (signal) =>
      new Promise((resolve, reject) => {
        if (free > 0) {
          free--
          resolve(once())
          return
        }
        const grant = (): void => {
          forget()
          resolve(once())
        }
        const giveUp = (): void => {
          waiting.delete(grant)
          reject(signal.reason)
        }
        waiting.add(grant)
        const forget = onAbort(signal, giveUp)
        if (signal.aborted) giveUp()
      }),
  }
}
