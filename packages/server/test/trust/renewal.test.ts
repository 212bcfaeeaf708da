import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { databaseLeases } from '../../src/base/leases/database-leases.ts'
import { expiryWarnings } from '../../src/base/expiry.ts'
import { trustExpiries } from '../../src/trust/expiring.ts'
import { startRenewal } from '../../src/trust/renewal.ts'
import { renewRepository } from '../../src/trust/repository/repository.ts'
import { lastSignedMs, readState } from '../../src/trust/repository/state.ts'
import { tufService } from '../../src/trust/service.ts'
import { openTrust, type Trust } from '../../src/trust/trust.ts'
import { dayMs, makeGround, makeInstance, makeInstances, noonMs, type Ground } from './made.ts'

let ground: Ground
let trust: Trust
beforeEach(async () => {
  ground = await makeGround()
  trust = openTrust(ground)
  await trust.begin(await makeInstances())
})
afterEach(() => ground.close())

const expiries = async () => trustExpiries(ground, await trust.instances())
const warnings = async (days: number): Promise<readonly string[]> => expiryWarnings(await expiries(), noonMs + days * dayMs)

describe('what will end', () => {
  it('is silent while everything renews itself', async () => {
    expect(await warnings(0)).toEqual([])
    expect((await expiries()).map(({ name }) => name)).toEqual([
      'root',
      'targets',
      'snapshot',
      'timestamp',
      'ca-1',
      'ca-1-issuer-1',
      'tsa-1',
      'tsa-1-issuer-1',
    ])
  })

  it('is said within a day or two when the renewal stands still', async () => {
    expect((await warnings(3))[0]).toMatch(/^4 days left: the timestamp of the TUF repository ends on .* look for failures/)
    expect((await warnings(8))[0]).toMatch(/^ENDED: the timestamp of the TUF repository ended on/)
  })

  it('is said eight weeks before, where people must sign', async () => {
    await ground.keys.remove('tuf-root')
    expect(await warnings(365 - 57)).not.toContainEqual(expect.stringContaining('the root of'))
    expect(await warnings(365 - 55)).toContainEqual(
      expect.stringMatching(/^55 days left: the root of .* signed by the holders of its keys/),
    )
  })

  it('is said of the certificates of authorities, until they were rotated', async () => {
    const days = 3 * 365 - 30
    expect(await warnings(days)).toContainEqual(expect.stringContaining('the certificate of the timestamp authority tsa-1'))
    ground.nowMs = noonMs + days * dayMs
    await trust.rotate({ next: await makeInstance('tsa', 2, ground.nowMs) })
    expect(await warnings(days)).not.toContainEqual(expect.stringContaining('tsa-1'))
  })

  it('is in the metrics, and an expired timestamp makes the service unready', async () => {
    const registry = new Registry()
    const service = tufService({ ...ground, expiries, renewalFailures: () => 3 })
    service.metrics?.(registry)
    const text = await registry.metrics()
    expect(text).toContain(`countersign_trust_expires_timestamp_seconds{name="timestamp"} ${(noonMs + 7 * dayMs) / 1000}`)
    expect(text).toContain('countersign_trust_renewal_failures 3')
    expect(await service.ready?.()).toEqual({ ok: true })
    ground.nowMs += 8 * dayMs
    expect(await service.ready?.()).toEqual({ ok: false, detail: 'the timestamp of the TUF repository has expired' })
  })
})

describe('the renewal', () => {
  it('leaves a mark of the time, which the clock can be compared with after a restart', async () => {
    expect(await lastSignedMs(ground.database)).toBe(noonMs)
    ground.nowMs += 2 * dayMs
    await renewRepository(ground)
    expect(await lastSignedMs(ground.database)).toBe(noonMs + 2 * dayMs)
  })

  const told = () => {
    const lines: string[] = []
    const write = (level: string) => (fields: object, text: string) => void lines.push(`${level} ${text} ${JSON.stringify(fields)}`)
    return { lines, log: { info: write('info'), warn: write('warn'), error: write('error') } }
  }

  it('renews at once and every hour, and of several processes one does it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const renew = () => renewRepository(ground)
    const leases = (holder: string) => databaseLeases(ground.database, ground.clock, holder)
    const start = (holder: string) =>
      startRenewal({ clock: ground.clock, leases: leases(holder), renew, publish: trust.publish, expiries, log: told().log })
    ground.nowMs += 2 * dayMs
    const [one, two] = [start('one'), start('two')]
    await Promise.all([one.tick(), two.tick()])
    expect((await readState(ground.database))?.published.timestamp.metadata.version).toBe(2)
    ground.nowMs += 2 * dayMs
    await vi.advanceTimersByTimeAsync(61 * 60 * 1000)
    vi.useRealTimers()
    await Promise.all([one.stop(), two.stop()])
    expect((await readState(ground.database))?.published.timestamp.metadata.version).toBe(3)
  })

  it('is left to the process that has the lease: it publishes, and this one only warns', async () => {
    const { lines, log } = told()
    const work: string[] = []
    const leases = { take: async () => undefined, release: async () => void work.push('release') }
    const renew = async () => (work.push('renew'), [])
    ground.nowMs += 8 * dayMs
    const renewal = startRenewal({ clock: ground.clock, leases, renew, publish: async () => work.push('publish'), expiries, log })
    await renewal.tick()
    await renewal.stop()
    expect([work, renewal.failures()]).toEqual([[], 0])
    expect(lines).toContainEqual(expect.stringMatching(/^warn trust ends .*ENDED: the timestamp/))
  })

  it('that fails says so, counts, tries again every minute, and warns of what will end', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { lines, log } = told()
    let broken = true
    const renew = async () => {
      if (broken) throw new TypeError('disk full')
      return renewRepository(ground)
    }
    const leases = { take: async () => ({ name: 'x', fence: 1, expiresAt: 1 }), release: async () => undefined }
    ground.nowMs += 5 * dayMs
    const renewal = startRenewal({ clock: ground.clock, leases, renew, publish: trust.publish, expiries, log })
    await renewal.tick()
    expect(renewal.failures()).toBe(2)
    expect(lines[0]).toMatch(/^error trust metadata not renewed/)
    expect(lines).toContainEqual(expect.stringMatching(/^warn trust ends .*2 days left: the timestamp/))
    broken = false
    await vi.advanceTimersByTimeAsync(61_000)
    vi.useRealTimers()
    await renewal.stop()
    expect(renewal.failures()).toBe(0)
    expect(lines).toContainEqual(expect.stringMatching(/^info trust metadata renewed .*timestamp/))
  })
})
