/** The values of cosign's service flags: `url=…,start-time=…`. */
import { CountersignError } from '@countersign/core/failure'
import { parseTime } from '@countersign/core/trust/time-range'
import type { TimeRange } from '@countersign/core/trust/model'

/** One service, its keys checked: each known, none twice, all required ones there. */
export type ServiceSpec = { readonly get: (key: string) => string; readonly find: (key: string) => string | undefined }

/** Reads one value. Throws `usage` naming the flag and the key. */
export function serviceSpec(flag: string, text: string, required: readonly string[], optional: readonly string[]): ServiceSpec {
  const values = new Map<string, string>()
  for (const part of text.split(',')) {
    const equals = part.indexOf('=')
    const key = part.slice(0, Math.max(equals, 0)).trim()
    if (![...required, ...optional].includes(key) || values.has(key)) {
      throw new CountersignError('usage', `--${flag} has ${values.has(key) ? 'a key twice' : 'an unknown key'}`, {
        expected: [...required, ...optional].join(', '),
        found: JSON.stringify(part.slice(0, 100)),
        hint: `Write --${flag}="url=…,…".`,
      })
    }
    values.set(key, part.slice(equals + 1).trim())
  }
  const missing = required.find((key) => (values.get(key) ?? '') === '')
  if (missing !== undefined) {
    throw new CountersignError('usage', `--${flag} lacks ${missing}`, { expected: required.join(', '), hint: `Add ${missing}=… to it.` })
  }
  const find = (key: string): string | undefined => values.get(key)
  return { find, get: (key) => find(key) ?? '' }
}

/** `start-time` and `end-time`; `start` stands in for an absent beginning. */
export function specTimes(flag: string, spec: ServiceSpec, start?: number): TimeRange {
  const from = spec.find('start-time') === undefined ? start : specTime(flag, 'start-time', spec.get('start-time'))
  if (from === undefined)
    throw new CountersignError('usage', `--${flag} lacks start-time`, { hint: 'Add start-time=2026-01-01T00:00:00Z to it.' })
  const end = spec.find('end-time')
  return end === undefined ? { start: from } : { start: from, end: specTime(flag, 'end-time', end) }
}

function specTime(flag: string, key: string, text: string): number {
  const time = parseTime(text)
  if (time !== undefined) return time
  throw new CountersignError('usage', `--${flag} has a malformed ${key}`, {
    expected: 'a time such as 2026-01-01T00:00:00Z',
    found: JSON.stringify(text.slice(0, 60)),
  })
}
