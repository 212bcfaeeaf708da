/** SQLite answers at once, so that a loop over its answers would let nothing else run: no timer, no request. */
import { setImmediate as nextTurn } from 'node:timers/promises'

// Long enough to cost nothing, short enough that nobody notices.
const breathMs = 5

/** Gives, before a piece of synchronous work, what to wait for where the event loop has not turned for 5 ms; otherwise nothing. */
export function breathing(): () => Promise<void> | undefined {
  let since: number | undefined
  return () => {
    const now = performance.now()
    if (since === undefined) {
      since = now
      setImmediate(() => (since = undefined))
      return undefined
    }
    return now - since < breathMs ? undefined : nextTurn()
  }
}
