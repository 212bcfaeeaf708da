import type { CountersignError } from '@countersign/core/failure'
import { describe, expect, it } from 'vitest'
import { demandFreshSeed, readPublicGoodSeed } from '../../src/trust/public-good-seed.ts'

describe('the public-good seed', () => {
  it('names logs, authorities, CT logs and timestamp authorities, and when it expires', async () => {
    const { trustedRoot, version, expiresMs } = await readPublicGoodSeed()
    expect(trustedRoot.logs.map(({ baseUrl }) => baseUrl)).toContain('https://rekor.sigstore.dev')
    for (const list of Object.values(trustedRoot)) expect(list.length).toBeGreaterThan(0)
    expect(version).toBeGreaterThan(0)
    expect(expiresMs).toBeGreaterThan(Date.parse('2026-01-01T00:00:00Z'))
  })

  it('is relied on until it expires, and refused with trust_stale from then on', async () => {
    const seed = await readPublicGoodSeed()
    expect(() => demandFreshSeed(seed, seed.expiresMs)).not.toThrow()
    expect(() => demandFreshSeed(seed, seed.expiresMs + 1)).toThrow(expect.objectContaining({ code: 'trust_stale' }) as CountersignError)
  })
})
