import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { administer } from '@countersign/server/main/administer'
import { confirmClock } from '@countersign/server/main/clock'
import { requestFor, serveIn, testFolder } from './starting.ts'

describe('a timestamp authority whose machine slept', () => {
  it('stops, and stamps again when its operator vouches for the clock, and not by what was said before', { timeout: 120_000 }, async () => {
    const data = join(testFolder(), 'data')
    let behindMs = 0
    const clock = (): number => Date.now() + behindMs
    const serving = await serveIn(data, { clock })
    const { listen: _, ...request } = requestFor(data, { clock })
    const confirm = (): Promise<unknown> =>
      administer({ ...request, log: () => undefined }, 'none', async (at) => confirmClock(at, { name: 'ada' }))
    const stamp = async (): Promise<number> => {
      const body = JSON.stringify({ artifactHash: createHash('sha256').update('x').digest('base64'), hashAlgorithm: 'sha256' })
      const reply = await fetch(serving.addresses['tsa'] as string, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      })
      return reply.status
    }
    expect(await stamp()).toBe(200)
    await confirm()
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    behindMs = 3_600_000
    expect([await stamp(), (await fetch(serving.addresses['readyz'] as string)).status]).toEqual([503, 503])
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    expect(await stamp()).toBe(503)
    await confirm()
    await expect.poll(stamp, { interval: 200 }).toBe(200)
  })
})
