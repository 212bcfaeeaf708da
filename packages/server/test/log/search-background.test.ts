import { describe, expect, it } from 'vitest'
import { indexInBackground } from '../../src/log/search/background.ts'

describe('the search index, while nobody searches', () => {
  it('is read bundle by bundle until nothing is left, stays behind entries that wait, and outlives a failure', async () => {
    let [left, busy, fails] = [1000, true, true]
    const failures: unknown[] = []
    const step = async (): Promise<boolean> => {
      if (fails) {
        fails = false
        throw new TypeError('disk')
      }
      return left-- > 0
    }
    const end = indexInBackground({ index: { step }, busy: () => busy, failed: (failure) => failures.push(failure), everyMs: 20 })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(left).toBeGreaterThan(990)
    left = 3
    busy = false
    await expect.poll(() => left).toBeLessThanOrEqual(0)
    expect(failures).toHaveLength(1)
    await end()
    const atEnd = left
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect(left).toBe(atEnd)
  })
})
