import { describe, expect, it } from 'vitest'
import { expiryWarnings, warningLog } from '@countersign/server/base/expiry'

const dayMs = 86_400_000

describe('warnings of an end', () => {
  it('begin eight weeks before, are written once a day, and every time once it has come', () => {
    const lines: string[] = []
    const say = warningLog({ warn: (fields) => void lines.push((fields as { readonly detail: string }).detail) }, 'ends')
    const hours = (from: number, to: number) => {
      for (let hour = from * 24; hour < to * 24; hour++)
        say(expiryWarnings([{ what: 'it', endsMs: 100 * dayMs, next: 'Do.' }], hour * (dayMs / 24) + 1))
      return lines.splice(0)
    }
    expect(hours(0, 44)).toEqual([])
    expect(hours(44, 47).map((line) => line.slice(0, 12))).toEqual(['55 days left', '54 days left', '53 days left'])
    expect(hours(100, 101).slice(1)).toHaveLength(23)
    expect(hours(101, 102)[0]).toMatch(/^ENDED: it ended on 1970-04-11/)
  })
})
