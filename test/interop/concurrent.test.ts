/** Many writers at once, and writers that die, on a registry without the referrers API and without compare-and-swap. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectExit } from './command.ts'
import { pushImage, readManifest } from './images.ts'
import { missingPeers } from './peers.ts'
import { startRegistries, type Registries } from './registries.ts'
import { makeWorld, type World } from './world.ts'

const missing = missingPeers('cosign', 'docker-registry')
const rounds = Number(process.env['COUNTERSIGN_ROUNDS'] ?? (process.env['CI'] === 'true' ? 5 : 20))
const writers = 8

describe.skipIf(missing.length > 0)('on a registry without the referrers API', () => {
  let world: World
  let registries: Registries

  beforeAll(async () => {
    world = makeWorld()
    registries = await startRegistries()
    for (let writer = 0; writer < writers; writer++) {
      expectExit(await world.tool('cosign', ['generate-key-pair', '--output-key-prefix', `writer${writer}`]), 0, 'generate-key-pair')
    }
  })
  afterAll(async () => {
    await registries.close()
    world.remove()
  })

  for (const layout of ['bundle', 'legacy'] as const) {
    it(
      `${writers} signers at once on one image leave ${writers} signatures, in each of ${rounds} rounds (${layout})`,
      { timeout: 600_000 },
      async () => {
        for (let round = 0; round < rounds; round++) {
          const repository = `concurrent/${layout}${round}`
          const digest = await pushImage(registries.docker, repository, 'v1', repository)
          const image = `${registries.docker}/${repository}@${digest}`
          const all = Array.from({ length: writers }, (_, writer) => [
            'sign',
            '--key',
            `writer${writer}.key`,
            '--layout',
            layout,
            '-y',
            image,
          ])
          for (const outcome of await Promise.all(all.map((args) => world.tool('ours', args)))) expectExit(outcome, 0, 'sign')
          expect(await stored(registries.docker, repository, digest, layout), `round ${round}`).toBe(writers)
          if (round === 0) {
            for (let writer = 0; writer < writers; writer++) {
              for (const tool of ['ours', 'cosign'] as const) {
                const verify = await world.tool(tool, ['verify', '--key', `writer${writer}.pub`, '--insecure-ignore-tlog', image])
                expectExit(verify, 0, `${tool} verify with key ${writer}`)
              }
            }
          }
        }
      },
    )

    it(
      `a sign that is killed at any point leaves the registry valid, and a repeated sign completes (${layout})`,
      { timeout: 600_000 },
      async () => {
        const [first, second] = ['writer0', 'writer1']
        const span = await duration(async () => {
          const digest = await pushImage(registries.docker, `killed/probe-${layout}`, 'v1', `probe ${layout}`)
          const args = ['sign', '--key', `${first}.key`, '--layout', layout, '-y', `${registries.docker}/killed/probe-${layout}@${digest}`]
          expectExit(await world.tool('ours', args), 0, 'sign')
        })
        const points = process.env['CI'] === 'true' ? 8 : 24
        for (let point = 0; point < points; point++) {
          const repository = `killed/${layout}${point}`
          const digest = await pushImage(registries.docker, repository, 'v1', repository)
          const image = `${registries.docker}/${repository}@${digest}`
          const sign = (key: string, killAfterMs?: number) =>
            world.tool(
              'ours',
              ['sign', '--key', `${key}.key`, '--layout', layout, '-y', image],
              killAfterMs === undefined ? {} : { killAfterMs },
            )
          const verify = (key: string) => world.tool('ours', ['verify', '--key', `${key}.pub`, image])

          expectExit(await sign(second), 0, 'sign by another')
          await sign(first, span * (0.2 + (0.85 * point) / points))
          expectExit(await verify(second), 0, `point ${point}: the other signature still verifies`)
          const half = await verify(first)
          expect([0, 12], `point ${point}: ${half.stderr}`).toContain(half.code)

          expectExit(await sign(first), 0, `point ${point}: sign again`)
          for (const key of [first, second]) {
            for (const tool of ['ours', 'cosign'] as const) {
              const outcome = await world.tool(tool, ['verify', '--key', `${key}.pub`, '--insecure-ignore-tlog', image])
              expectExit(outcome, 0, `point ${point}: ${tool} verifies ${key}`)
            }
          }
          expect(await stored(registries.docker, repository, digest, layout), `point ${point}: no signature twice`).toBe(2)
        }
      },
    )
  }

  it('ours and cosign sign one image in turn, and neither loses what the other wrote', async () => {
    const repository = 'concurrent/turns'
    const digest = await pushImage(registries.docker, repository, 'v1', repository)
    const image = `${registries.docker}/${repository}@${digest}`
    for (let writer = 0; writer < 4; writer++) {
      const signer = writer % 2 === 0 ? 'ours' : 'cosign'
      expectExit(await world.tool(signer, ['sign', '--key', `writer${writer}.key`, ...world.noServices, image]), 0, `${signer} sign`)
    }
    expect(await stored(registries.docker, repository, digest, 'bundle')).toBe(4)
    for (let writer = 0; writer < 4; writer++) {
      for (const tool of ['ours', 'cosign'] as const) {
        const outcome = await world.tool(tool, ['verify', '--key', `writer${writer}.pub`, '--insecure-ignore-tlog', image])
        expectExit(outcome, 0, `${tool} verifies key ${writer}`)
      }
    }
  })
})

/** How many signatures the layout's one place holds, as any tool would count them: index entries or layers. */
async function stored(host: string, repository: string, digest: string, layout: 'bundle' | 'legacy'): Promise<number> {
  const tag = `sha256-${digest.slice(7)}${layout === 'legacy' ? '.sig' : ''}`
  const manifest = await readManifest(host, repository, tag)
  return (layout === 'legacy' ? manifest?.layers : manifest?.manifests)?.length ?? 0
}

async function duration(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}
