import { expect, it } from 'vitest'
import { createClockWatch } from '../../src/tsa/clock/clock-watch.ts'
import { clockMigrations, followConfirmations, recordConfirmation } from '../../src/tsa/clock/confirmations.ts'
import { describeDatabases } from '../base/databases.ts'

describeDatabases('what an operator said of the clock of a machine', (openDatabase) => {
  it('counts once, from when somebody follows it, for as long as it takes to be noticed, and for that machine', async () => {
    const { database, close } = await openDatabase(clockMigrations)
    let nowMs = Date.UTC(2026, 5, 1)
    let confirmed = 0
    await recordConfirmation(database, 'here', nowMs)
    const follow = followConfirmations(
      database,
      'here',
      () => nowMs,
      () => confirmed++,
    )
    await follow()
    expect(confirmed).toBe(0)
    await recordConfirmation(database, 'here', nowMs)
    await follow()
    await follow()
    expect(confirmed).toBe(1)
    await recordConfirmation(database, 'elsewhere', nowMs)
    await follow()
    await recordConfirmation(database, 'here', nowMs)
    nowMs += 10_001
    await follow()
    expect(confirmed).toBe(1)
    await recordConfirmation(database, 'here', nowMs)
    nowMs += 10_000
    await follow()
    expect(confirmed).toBe(2)
    await close()
  })

  it('is not taken for the word of time sources, where some are configured', async () => {
    let offsetMs = 0
    const source = { name: 'one', ask: async () => ({ source: 'one', offsetMs: 0, errorMs: 1 }) }
    const watch = createClockWatch({ wall: () => 1e12 + offsetMs, monotonic: () => 0, sources: [source] })
    await watch.poll()
    expect(watch.check()).toMatchObject({ ok: true })
    offsetMs = 60_000
    watch.confirm()
    expect(watch.check()).toMatchObject({ ok: false })
  })
})
