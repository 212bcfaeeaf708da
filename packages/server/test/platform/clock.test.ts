import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { serveIn, testFolder } from '../main/starting.ts'
import { clientOf, trustingIssuer } from './client.ts'

const hour = 3_600_000
const year = 365 * 24 * hour

const integratedTime = (answer: string): number => Number(/"integratedTime":(\d+)/.exec(answer)?.[1])

describe('a server whose clock jumps', { timeout: 120_000 }, () => {
  it('stamps nothing, and lets no entry of a log be older than those before it, when the clock is set back', async () => {
    const folder = testFolder()
    let offset = 0
    const serving = await serveIn(join(folder, 'data'), { ...trustingIssuer(folder), clock: () => Date.now() + offset })
    const client = await clientOf(serving.listening, serving.publicUrl)
    expect((await client.timestamp()).status).toBe(200)
    const before = integratedTime((await client.rekor1()).answer)
    offset = -hour
    expect(await client.timestamp()).toMatchObject({ status: 503, retryAfter: expect.any(String) as string })
    expect(await client.ready()).toMatchObject({ status: 503, text: expect.stringContaining('clock') as string })
    const after = integratedTime((await client.rekor1()).answer)
    expect(after).toBeGreaterThanOrEqual(before)
    offset = 0
    await expect.poll(async () => (await client.timestamp()).status).toBe(200)
    await client.demandAll()
  })

  it('issues no certificate outside the life of its authority, in the past and in the future', async () => {
    const folder = testFolder()
    let offset = 0
    const serving = await serveIn(join(folder, 'data'), { ...trustingIssuer(folder), clock: () => Date.now() + offset })
    const client = await clientOf(serving.listening, serving.publicUrl)
    expect((await client.certificate()).status).toBe(200)
    for (const jump of [-2 * year, 50 * year]) {
      offset = jump
      expect((await client.certificate()).status).toBeGreaterThanOrEqual(400)
    }
    offset = 0
    expect((await client.certificate()).status).toBe(200)
    await client.demandAll()
  })
})
