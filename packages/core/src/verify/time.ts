/** Times as a verification uses them: Unix milliseconds, closed intervals, never the wall clock where a proof is needed. */
import { CountersignError } from '../failure.ts'
import type { LogInstance, TimeRange } from '../trust/model.ts'
import type { TrustedTime } from './evidence.ts'

/** A log or authority may be ahead of the verifier's clock by this much, milliseconds: one minute. */
export const clockSkewMs: number = 60_000

/** Whether a time lies in a closed interval: both ends are inside (sigstore_common.proto, TimeRange). */
export function inRange(timeMs: number, range: TimeRange): boolean {
  return timeMs >= range.start && (range.end === undefined || timeMs <= range.end)
}

/** Largest time that has a date (ECMA-262 §21.4.1.1), milliseconds. */
const maxDateMs = 8.64e15

/** A time for people, RFC 3339 in UTC, whole seconds where it has no others; a number where it has no date. */
export function timeText(timeMs: number): string {
  if (!(Math.abs(timeMs) <= maxDateMs)) return `${timeMs} ms`
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

/**
 * A v2 entry carries no time of its own, so its log must have been in use at some trusted time of the signature; otherwise a log key that
 * leaked after its end could prove anything. Without any trusted time there is nothing to compare. Refuses with `log_untrusted`.
 */
export function demandLogsInUse(logs: readonly (readonly LogInstance[])[], times: readonly TrustedTime[]): void {
  if (times.length === 0) return
  const unused = logs.find((instances) => !instances.some(({ validFor }) => times.some(({ timeMs }) => inRange(timeMs, validFor))))
  const [log] = unused ?? []
  if (log === undefined) return
  throw new CountersignError('log_untrusted', `log ${log.baseUrl} was not trusted at the time of the signature`, {
    expected: rangeText(log.validFor),
    found: times.map(({ timeMs }) => timeText(timeMs)).join(', '),
  })
}
