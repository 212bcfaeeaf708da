import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Lease, Leases } from '../../src/base/leases/lease.ts'
import { holdLease, leaseMs, renewMs } from '../../src/log/engine/lease-holder.ts'

afterEach(() => void vi.useRealTimers())

/** Leases that answer what the test says, one answer after the other; the last one stays. */
function answering(clock: () => number, ...answers: ('taken' | 'refused' | 'unreachable')[]): Leases & { readonly released: Lease[] } {
  const released: Lease[] = []
  return {
    released,
    take: async (name, durationMs) => {
      const answer = answers.length > 1 ? answers.shift() : answers[0]
      if (answer === 'unreachable') throw new RangeError('no database')
      return answer === 'taken' ? { name, fence: 1, expiresAt: clock() + durationMs } : undefined
    },
    release: async (lease) => void released.push(lease),
  }
}

describe('a lease that a sequencer holds', () => {
  it('ends when it was not renewed in time, whether or not anybody has taken it', async () => {
    let now = 1_000_000
    const held = await holdLease(
      answering(() => now, 'taken'),
      'log/test-1',
      () => now,
    )
    now += leaseMs - 1
    expect(held?.held()).toBe(true)
    now += 1
    expect(held?.held()).toBe(false)
    await held?.end()
  })

  it('goes on while it is renewed, outlives a renewal that failed, and is lost when another has it', async () => {
    vi.useFakeTimers()
    const held = await holdLease(answering(Date.now, 'taken', 'taken', 'unreachable', 'taken', 'refused'), 'log/test-1', Date.now)
    for (const expected of [true, true, true, false]) {
      await vi.advanceTimersByTimeAsync(renewMs)
      expect(held?.held()).toBe(expected)
    }
    await held?.end()
  })

  it('is not there while another process has it, and is given back at the end', async () => {
    expect(await holdLease(answering(Date.now, 'refused'), 'log/test-1', Date.now)).toBeUndefined()
    const leases = answering(Date.now, 'taken')
    const held = await holdLease(leases, 'log/test-1', Date.now)
    await held?.end()
    expect(leases.released).toMatchObject([{ name: 'log/test-1', fence: 1 }])
    expect(held?.held()).toBe(false)
  })
})
