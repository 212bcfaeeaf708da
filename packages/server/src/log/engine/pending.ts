/** Entries that wait to be in the log: bounded, and each identity once. */
import { CountersignError } from '@countersign/core/failure'
import type { LoggedEntry, NewEntry } from '../tree-log.ts'
import { identityKey } from './tree-store.ts'

/** An entry on its way, and everybody who waits for it. */
export type Pending = {
  readonly entry: NewEntry
  readonly key: string
  /** Its row in the shared queue, when another process took it. */
  readonly queueId?: string
  readonly waiting: Waiting[]
}

/** Who waits: the first asked for the entry, later ones are told that it is a duplicate. */
export type Waiting = { readonly resolve: (entry: LoggedEntry) => void; readonly reject: (failure: unknown) => void }

/** The queue of one process. */
export type PendingQueue = {
  /** Waits for the entry. Rejects with `log_overloaded` at once when as many wait as may. */
  readonly add: (entry: NewEntry) => Promise<LoggedEntry>
  /** Takes what waits, at most `maxEntries` and about `maxBytes`, first come first. What is taken still counts until it is settled. */
  readonly take: (maxEntries: number, maxBytes: number) => readonly Pending[]
  /** Tells everybody who waits for it, once; `duplicate` for the first is in the answer. */
  readonly settle: (pending: Pending, answer: LoggedEntry) => void
  readonly fail: (pending: Pending, failure: unknown) => void
  /** Fails everything that was not taken. */
  readonly failAll: (failure: unknown) => void
  /** Resolves when something waits, or after the time. */
  readonly arrival: (timeoutMs: number) => Promise<void>
  /** Ends {@link PendingQueue.arrival} at once. */
  readonly wake: () => void
  readonly outstanding: () => number
}

/** Makes a queue for at most `maxOutstanding` entries. */
export function pendingQueue(maxOutstanding: number): PendingQueue {
  const byIdentity = new Map<string, Pending>()
  let queue: Pending[] = []
  let outstanding = 0
  let wake: (() => void) | undefined
  /** Ends the wait for an entry: once, whatever goes wrong after it. */
  const done = (pending: Pending): readonly Waiting[] => {
    if (byIdentity.get(pending.key) !== pending) return []
    byIdentity.delete(pending.key)
    outstanding -= pending.waiting.length
    return pending.waiting
  }
  const fail = (pending: Pending, failure: unknown): void => {
    for (const { reject } of done(pending)) reject(failure)
  }
  return {
    add: (entry) =>
      new Promise((resolve, reject) => {
        if (outstanding >= maxOutstanding) {
          reject(overloaded(maxOutstanding))
          return
        }
        outstanding++
        const key = identityKey(entry.identity)
        const same = byIdentity.get(key)
        if (same !== undefined) {
          same.waiting.push({ resolve, reject })
          return
        }
        const pending: Pending = { entry, key, waiting: [{ resolve, reject }] }
        byIdentity.set(key, pending)
        queue.push(pending)
        wake?.()
      }),
    take: (maxEntries, maxBytes) => {
      let bytes = 0
      let count = 0
      while (count < queue.length && count < maxEntries && bytes < maxBytes) bytes += (queue[count++] as Pending).entry.data.length
      const taken = queue.slice(0, count)
      queue = queue.slice(count)
      return taken
    },
    settle: (pending, answer) => {
      for (const [i, { resolve }] of done(pending).entries()) resolve(i === 0 ? answer : { ...answer, duplicate: true })
    },
    fail,
    failAll: (failure) => {
      const left = queue
      queue = []
      for (const pending of left) fail(pending, failure)
    },
    arrival: (timeoutMs) =>
      queue.length > 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            const timer = setTimeout(end, timeoutMs)
            function end(): void {
              clearTimeout(timer)
              wake = undefined
              resolve()
            }
            wake = end
          }),
    wake: () => wake?.(),
    outstanding: () => outstanding,
  }
}

/** Too many wait: the failure that says so. */
export function overloaded(maxOutstanding: number): CountersignError {
  return new CountersignError('log_overloaded', `${maxOutstanding} entries wait to be logged`, { hint: 'Try again in a second.' })
}
