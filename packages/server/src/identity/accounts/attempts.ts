/**
 * Bounds guessing, and locks nobody out for it: who guesses wrongly waits, longer each time, and the owner of the name elsewhere does not. Four
 * budgets, of which a device on which the account has logged in before has one of its own, so that nobody else can spend it (OWASP, "Slow Down Online
 * Guessing Attacks with Device Cookies"). Few passwords are looked at at once, since each takes 64 MiB and a thread that the logs need too. Kept in
 * memory, bounded, per process.
 */
import { isIPv6 } from 'node:net'
import { CountersignError } from '@countersign/core/failure'
import type { Clock } from '../../base/clock.ts'
import type { Attempts } from './login.ts'

/** After `free` failures a wait, which doubles with each up to the longest. One failure is forgotten in each `forgetMs`. */
type Budget = { readonly free: number; readonly firstMs: number; readonly longestMs: number; readonly forgetMs: number }

const minute = 60_000
const ofOne: Budget = { free: 5, firstMs: 2_000, longestMs: 15 * minute, forgetMs: 15 * minute }
/** Passwords tried on many names from one place; many people may share it. */
const ofSource: Budget = { free: 30, firstMs: 2_000, longestMs: 15 * minute, forgetMs: minute }
/** Hostile: guesses from everywhere, each place few. So slow that they are worth nothing, so short that waiting is no lock. */
const ofName: Budget = { free: 20, firstMs: 1_000, longestMs: minute, forgetMs: 10 * minute }

const kept = 10_000
const [atOnce, mostWaiting, mostWaitingOfSource] = [2, 32, 8] as const

/** Counts failed logins. */
export function createAttempts(clock: Clock): Attempts {
  const [devices, pairs, sources, names] = [ofOne, ofOne, ofSource, ofName].map((budget) => counter(budget, clock)) as [
    Counter,
    Counter,
    Counter,
    Counter,
  ]
  const counted = ({ name, from, device }: Parameters<Attempts['failed']>[0]): readonly (readonly [Counter, string])[] => {
    if (device !== undefined) return [[devices, device]]
    const source = sourceOf(from)
    return [
      [pairs, `${source} ${name}`],
      [sources, source],
      [names, name],
    ]
  }
  return {
    inTurn: turns(),
    demandLeft: (attempt) => {
      const wait = Math.max(...counted(attempt).map(([budget, key]) => budget.waitMs(key)))
      if (wait > 0) {
        throw new CountersignError('login_refused', 'too many attempts failed', {
          hint: `Try again in ${Math.ceil(wait / 1000)} seconds.`,
        })
      }
    },
    failed: (attempt) => {
      for (const [budget, key] of counted(attempt)) budget.failed(key)
    },
    // Hostile: who has an account would log in between guesses at others. What counts for all of a source, or of a name, stays.
    succeeded: (attempt) => {
      const [[budget, key] = [devices, '']] = counted(attempt)
      budget.forget(key)
    },
  }
}

type Counter = {
  readonly waitMs: (key: string) => number
  readonly failed: (key: string) => void
  readonly forget: (key: string) => void
}

function counter({ free, firstMs, longestMs, forgetMs }: Budget, clock: Clock): Counter {
  const failures = new Map<string, { readonly count: number; readonly at: number; readonly until: number }>()
  return {
    // A clock that was set back makes nobody wait for longer.
    waitMs: (key) => Math.min(longestMs, (failures.get(key)?.until ?? 0) - clock()),
    failed: (key) => {
      const [now, before] = [clock(), failures.get(key)]
      const forgotten = before === undefined ? 0 : Math.max(0, Math.floor((now - before.at) / forgetMs))
      const count = Math.max(0, (before?.count ?? 0) - forgotten) + 1
      const wait = count < free ? 0 : Math.min(firstMs * 2 ** (count - free), longestMs)
      failures.delete(key)
      failures.set(key, { count, at: now, until: now + wait })
      // The oldest go first: who fills the memory with names loses nobody else's count for long.
      for (const oldest of failures.keys()) {
        if (failures.size <= kept) break
        failures.delete(oldest)
      }
    },
    forget: (key) => void failures.delete(key),
  }
}

/** Who has an IPv6 address has a network of them: the first 64 bits count (RFC 6177 §2). */
function sourceOf(address: string): string {
  const plain = address.replace(/%.*$/, '')
  if (!isIPv6(plain) || plain.includes('.')) return plain
  const [front = '', back] = plain.split('::')
  const groups = front === '' ? [] : front.split(':')
  const zeros = back === undefined ? 0 : 8 - groups.length - (back === '' ? 0 : back.split(':').length)
  const all = [...groups, ...Array.from({ length: zeros }, () => '0'), ...(back ?? '').split(':')]
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}

/** Known devices come first, and have a queue of their own. Of one source few wait, so that it does not fill the queue for others. */
function turns(): Attempts['inTurn'] {
  const [known, others]: [(() => void)[], (() => void)[]] = [[], []]
  const waitingOf = new Map<string, number>()
  let active = 0
  const wait = async (lane: (() => void)[], source: string): Promise<void> => {
    const many = waitingOf.get(source) ?? 0
    if (lane.length >= mostWaiting || many >= mostWaitingOfSource) {
      throw new CountersignError('login_refused', 'too many people log in at this moment', { hint: 'Try again in a few seconds.' })
    }
    waitingOf.set(source, many + 1)
    await new Promise<void>((resolve) => lane.push(resolve))
    const left = (waitingOf.get(source) ?? 1) - 1
    if (left === 0) waitingOf.delete(source)
    else waitingOf.set(source, left)
  }
  return async ({ from, device }, work) => {
    if (active < atOnce) active++
    else await wait(device === undefined ? others : known, device ?? sourceOf(from))
    try {
      return await work()
    } finally {
      // Whoever is next takes the place over.
      const next = known.shift() ?? others.shift()
      if (next === undefined) active--
      else next()
    }
  }
}
