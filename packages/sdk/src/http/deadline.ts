/** The time that a whole run may take. */
import { CountersignError } from '@countersign/core/failure'

/** Counts down from its creation. */
export type Deadline = {
  readonly totalMs: number
  /** Milliseconds left, never negative. */
  readonly remainingMs: () => number
  /** Aborts at the deadline, or when the run is closed. */
  readonly signal: AbortSignal
  /** Ends every wait now. */
  readonly cancel: () => void
}

/** Starts a deadline of `totalMs` milliseconds. It keeps no process alive. */
export function startDeadline(totalMs: number): Deadline {
  const end = performance.now() + totalMs
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), Math.min(totalMs, 0x7fffffff))
  timer.unref()
  return {
    totalMs,
    remainingMs: () => (controller.signal.aborted ? 0 : Math.max(0, end - performance.now())),
    signal: controller.signal,
    cancel: () => {
      clearTimeout(timer)
      controller.abort()
    },
  }
}

/** The failure of a run whose time is up while it did `doing`. */
export function deadlineExceeded(deadline: Deadline, doing: string, cause?: unknown): CountersignError {
  return new CountersignError('deadline_exceeded', `the deadline of ${Math.round(deadline.totalMs)} ms passed while ${doing}`, {
    cause,
    hint: 'Raise the timeout, or try again when the registry answers faster.',
  })
}

/** Waits `ms` milliseconds; returns at once when the deadline passes first. */
export function pause(ms: number, deadline: Deadline): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      deadline.signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    deadline.signal.addEventListener('abort', done, { once: true })
    if (deadline.signal.aborted) done()
  })
}
