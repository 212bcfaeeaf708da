/**
 * How many logins may begin in a minute. Hostile: beginning one needs no account and leaves a row for ten minutes; without a bound anybody fills
 * the disk under the log. Kept in memory, bounded, per process.
 */
import type { Clock } from '../../base/clock.ts'

/** Counts one; gives the seconds to wait when there were too many in this minute, and 0 otherwise. */
export type Pace = (from: string) => number

const minuteMs = 60_000
const [mostFromOne, mostInAll] = [300, 1200] as const

/** Counts by minutes of the clock, for each address and for all. */
export function loginPace(clock: Clock): Pace {
  let minute = 0
  let all = 0
  const counts = new Map<string, number>()
  return (from) => {
    const now = clock()
    if (Math.floor(now / minuteMs) !== minute) {
      minute = Math.floor(now / minuteMs)
      all = 0
      counts.clear()
    }
    const ofOne = (counts.get(from) ?? 0) + 1
    if (ofOne > mostFromOne || all >= mostInAll) return Math.ceil(((minute + 1) * minuteMs - now) / 1000)
    // No more addresses than logins in all.
    counts.set(from, ofOne)
    all++
    return 0
  }
}
