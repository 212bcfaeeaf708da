/** Readers of what several parts of a policy have in common. */
import { compileGlob } from '../glob.ts'
import { CountersignError } from '../failure.ts'
import { isAbsent, items, members, nonEmptyText, oneMember, optional, readObject, refuse, text, type Place } from '../json/shape.ts'
import type { TimeRange } from '../trust/model.ts'
import { parseTime } from '../trust/time-range.ts'
import type { NameMatch } from '../verify/policy.ts'
import type { ArtifactMatch, Decision } from './model.ts'

/** Longest text of one field, characters. */
const maxText = 1024
const maxGlobs = 256
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

/** A name that rules, identities and groups go by. */
export function readName(at: Place): string {
  const name = text(at)
  return namePattern.test(name)
    ? name
    : refuse(at, 'not a name', {
        expected: 'a letter or digit, then at most 62 of letters, digits, ".", "_" and "-"',
        found: name.slice(0, 80),
      })
}

/** True or false; `fallback` where it is absent. */
export function readBoolean(at: Place, fallback: boolean): boolean {
  if (isAbsent(at)) return fallback
  return typeof at.value === 'boolean' ? at.value : refuse(at, 'expected true or false')
}

/** `allow`, `warn` or `deny`; `deny` where it is absent. */
export function readDecision(at: Place): Decision {
  if (isAbsent(at)) return 'deny'
  const word = text(at)
  return word === 'allow' || word === 'warn' || word === 'deny'
    ? word
    : refuse(at, 'not a decision', { expected: 'allow, warn or deny', found: word.slice(0, 80) })
}

/** A moment, Unix milliseconds. */
export function readMoment(at: Place): number {
  const timestamp = nonEmptyText(at)
  return (
    parseTime(timestamp) ?? refuse(at, 'not a time', { expected: 'RFC 3339, as in 2026-01-31T12:00:00Z', found: timestamp.slice(0, 40) })
  )
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A span such as `90s`, `15m`, `24h`, `30d`, in milliseconds. */
export function readDuration(at: Place): number {
  const match = /^([1-9][0-9]{0,6})([smhd])$/.exec(text(at))
  const unit = unitMs[match?.[2] ?? '']
  return match === null || unit === undefined
    ? refuse(at, 'not a span of time', { expected: 'as in 90s, 15m, 24h or 30d' })
    : Number(match[1]) * unit
}

/** The window in which something counts, from `validFrom` and `validUntil`; absent when neither is there. */
export function readWindow(from: Place, until: Place): TimeRange | undefined {
  const start = optional(from, readMoment)
  const end = optional(until, readMoment)
  if (start === undefined && end === undefined) return undefined
  const range = { start: start ?? Number.NEGATIVE_INFINITY, ...(end === undefined ? {} : { end }) }
  return end !== undefined && end < range.start ? refuse(until, 'ends before it starts') : range
}

/** A name that must match: a text stands for itself, `{glob}` and `{pattern}` say what they are. */
export function readNameMatch(at: Place): NameMatch {
  if (typeof at.value === 'string') return { kind: 'exact', value: bounded(at) }
  const field = members(at, ['exact', 'glob', 'pattern'])
  const kind = oneMember(at, field, ['exact', 'glob', 'pattern'])
  const value = kind === 'glob' ? readGlob(field(kind)) : bounded(field(kind))
  return { kind, value }
}

/** A glob that compiles. */
export function readGlob(at: Place): string {
  const glob = bounded(at)
  try {
    compileGlob(glob)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    refuse(at, cause.message, { ...(cause.expected === undefined ? {} : { expected: cause.expected }), cause })
  }
  return glob
}

/** A text of 1 to 1,024 characters. */
export function bounded(at: Place): string {
  return textUpTo(at, maxText)
}

/** A text of 1 to `max` characters. */
export function textUpTo(at: Place, max: number): string {
  const value = nonEmptyText(at)
  return value.length > max ? refuse(at, `${value.length} characters`, { expected: `at most ${max}` }) : value
}

/** The lists of a match; at least one image or file glob, or media type. */
export function readMatch(at: Place, further: readonly string[] = []): ArtifactMatch {
  const field = members(at, ['images', 'files', 'mediaTypes', ...further])
  const list = (name: string, read: (place: Place) => string): readonly string[] =>
    isAbsent(field(name)) ? [] : items(field(name), maxGlobs).map(read)
  const match = { images: list('images', readGlob), files: list('files', readGlob), mediaTypes: list('mediaTypes', bounded) }
  const empty = match.images.length + match.files.length + match.mediaTypes.length === 0
  return empty ? refuse(at, 'matches nothing', { expected: 'at least one of images, files and mediaTypes' }) : match
}

/** True for an object, false for a text; anything else is refused. */
export function isObject(at: Place): boolean {
  return typeof at.value === 'string' ? false : Boolean(readObject(at))
}
