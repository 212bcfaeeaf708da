/** Validity intervals of trust files: `TimeRange` with timestamps of RFC 3339, as protojson writes them. */
import { members, nonEmptyText, optional, refuse, type Place } from '../json/shape.ts'
import type { TimeRange } from './model.ts'

const pattern = /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))$/

/**
 * Reads `{start, end}`. `start` is required: without it a file that lost the field would trust forever (client specification §3).
 * Fails with the code of the place.
 */
export function readTimeRange(at: Place): TimeRange {
  const field = members(at, ['start', 'end'])
  const start = readTime(field('start'))
  const end = optional(field('end'), readTime)
  if (end === undefined) return { start }
  return end < start ? refuse(at, 'ends before it starts') : { start, end }
}

/** Writes a validity interval. */
export function timeRangeJson(range: TimeRange): { start: string; end?: string } {
  return range.end === undefined ? { start: formatTime(range.start) } : { start: formatTime(range.start), end: formatTime(range.end) }
}

/** Unix milliseconds (fractions of one cut off) of an RFC 3339 timestamp; `undefined` for anything else, leap seconds included. */
export function parseTime(timestamp: string): number | undefined {
  const match = pattern.exec(timestamp)
  if (match === null) return undefined
  const part = (index: number): number => Number(match[index] ?? 0)
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)]
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second, Number((match[7] ?? '').padEnd(3, '0').slice(0, 3)))
  // What overflowed (30 February, 25 o'clock) was no date.
  const same =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && date.getUTCHours() === hour && date.getUTCMinutes() === minute
  if (!same || second > 59 || part(9) > 23 || part(10) > 59) return undefined
  const offset = (part(9) * 60 + part(10)) * 60_000
  return match[8] === '-' ? date.getTime() + offset : date.getTime() - offset
}

/** A time as protojson writes it: UTC, no fraction when it is zero. */
export function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('.000Z', 'Z')
}

function readTime(at: Place): number {
  const timestamp = nonEmptyText(at)
  return parseTime(timestamp) ?? refuse(at, 'not an RFC 3339 timestamp', { found: timestamp.slice(0, 40) })
}
