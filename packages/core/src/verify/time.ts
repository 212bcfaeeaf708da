/** Times as a verification uses them: Unix milliseconds, closed intervals, never the wall clock where a proof is needed. */
import { CountersignError } from '../failure.ts'
import type { TimeRange } from '../trust/model.ts'
import type { TrustedTime } from './evidence.ts'

/** A log or authority may be ahead of the verifier's clock by this much, milliseconds: one minute. */
export const clockSkewMs: number = 60_000

/** Whether a time lies in a closed interval: both ends are inside (sigstore_common.proto, TimeRange). */
export function inRange(timeMs: number, range: TimeRange): boolean {
  return timeMs >= range.start && (range.end === undefined || timeMs <= range.end)
}

/** A time for people, RFC 3339 in UTC, whole seconds where it has no others. */
export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('.000Z', 'Z')
}

/** An interval for people. */
export function rangeText(range: TimeRange): string {
  return range.end === undefined ? `from ${timeText(range.start)}` : `${timeText(range.start)} to ${timeText(range.end)}`
}

/** Refuses a time that has not come yet: who signs it has a wrong clock or backdates what follows. */
export function demandPast(
  timeMs: number,
  nowMs: number,
  code: 'signed_entry_timestamp_invalid' | 'timestamp_invalid',
  what: string,
): void {
  if (timeMs <= nowMs + clockSkewMs) return
  throw new CountersignError(code, `${what} lies in the future`, { expected: `at most ${timeText(nowMs)}`, found: timeText(timeMs) })
}

/** One time per authority, the first found; several of one authority prove no more than one. */
export function distinctAuthorities(times: readonly TrustedTime[]): readonly TrustedTime[] {
  const seen = new Set<string>()
  return times.filter(({ source, authority }) => {
    const key = `${source} ${authority}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}
