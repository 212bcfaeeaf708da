import { afterEach, describe, expect, it } from 'vitest'
import { liveInstances, type Live } from '../../src/main/shards.ts'
import type { TrustInstance } from '../../src/trust/instances.ts'

const instance = (id: string): TrustInstance => ({
  id,
  role: 'rekor2',
  url: 'https://log.example/rekor2',
  operator: 'log.example',
  anchor: { kind: 'none' },
  validFor: { start: 0 },
})

let live: Live<string> | undefined
afterEach(async () => live?.close())

/** A registry that grows, and what clients are told of it. */
function registry(...ids: string[]) {
  const told = new Set(ids)
  const instances = ids.map(instance)
  const trust = {
    instances: async () => instances,
    inForce: async (id: string) => told.has(id),
    close: async () => 'published' as const,
  }
  const quiet = () => undefined
  const platform = { log: { debug: quiet, info: quiet, warn: quiet, error: quiet } }
  const open = async () => liveInstances<string>({ platform, trust, role: 'rekor2', clock: Date.now, open: async ({ id }) => id })
  return { open, told, instances }
}

describe('the instances of a running service', () => {
  it('are all that were, the newest of them active', async () => {
    live = await registry('rekor2-1', 'rekor2-2').open()
    expect([live.all, live.active()]).toEqual([['rekor2-1', 'rekor2-2'], 'rekor2-2'])
  })

  it('begin without one that no client knows: what it signed, nobody would verify', async () => {
    const { open, instances } = registry('rekor2-1')
    instances.push(instance('rekor2-2'))
    live = await open()
    expect([live.all, live.active()]).toEqual([['rekor2-1'], 'rekor2-1'])
  })

  it('go over to the next one when clients are told of it, not when it is made', async () => {
    const { open, told, instances } = registry('rekor2-1')
    live = await open()
    instances.push(instance('rekor2-2'))
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    expect(live.active()).toBe('rekor2-1')
    told.add('rekor2-2')
    await expect.poll(() => live?.active()).toBe('rekor2-2')
    expect(live.all).toEqual(['rekor2-1', 'rekor2-2'])
  })

  it('are none where the registry has none: a service is never made up', async () => {
    await expect(registry().open()).rejects.toMatchObject({ code: 'trust_damaged' })
  })
})
