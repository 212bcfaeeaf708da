/**
 * Bounds guessing: per name and per address a few failures, then a wait that doubles; and few passwords are looked at at once, since each takes
 * 64 MiB and a thread that the logs need too. Kept in memory, bounded, per process.
 */
import { CountersignError } from '@countersign/core/failure'
import type { Clock } from '../../base/clock.ts'
import type { Attempts } from './login.ts'

const [free, firstWaitMs, longestWaitMs, kept] = [5, 2_000, 15 * 60_000, 10_000] as const
const [atOnce, mostWaiting] = [2, 32] as const

type Failures = { readonly count: number; readonly until: number }

/** Counts failed logins. */
export function createAttempts(clock: Clock): Attempts {
  const failures = new Map<string, Failures>()
  return {
    inTurn: turns(),
    demandLeft: (keys) => {
      const wait = Math.max(...keys.map((key) => (failures.get(key)?.until ?? 0) - clock()))
      if (wait > 0) {
        throw new CountersignError('login_refused', 'too many attempts failed', {
          hint: `Try again in ${Math.ceil(wait / 1000)} seconds.`,
        })
      }
    },
    failed: (keys) => {
      for (const key of keys) {
        const count = (failures.get(key)?.count ?? 0) + 1
        const wait = count < free ? 0 : Math.min(firstWaitMs * 2 ** (count - free), longestWaitMs)
        failures.delete(key)
        failures.set(key, { count, until: clock() + wait })
      }
      // The oldest go first: who fills the memory with names loses nobody else's count for long.
      for (const key of failures.keys()) {
        if (failures.size <= kept) break
        failures.delete(key)
      }
    },
    succeeded: (keys) => {
      for (const key of keys) failures.delete(key)
    },
  }
}

function turns(): Attempts['inTurn'] {
  const waiting: (() => void)[] = []
  let active = 0
  return async (work) => {
    if (waiting.length >= mostWaiting) {
      throw new CountersignError('login_refused', 'too many people log in at this moment', { hint: 'Try again in a few seconds.' })
    }
    if (active >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve))
    else active++
    try {
      return await work()
    } finally {
      // Whoever is next takes the place over.
      const next = waiting.shift()
      if (next === undefined) active--
      else next()
    }
  }
}
