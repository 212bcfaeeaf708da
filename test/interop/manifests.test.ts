/** `dockerfile verify` and `manifest verify` beside cosign's, and tools of others on what was pinned. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectExit, run, shown } from './command.ts'
import { pushImage } from './images.ts'
import { missingPeers, peer } from './peers.ts'
import { startRegistries, type Registries } from './registries.ts'
import { makeWorld, type World } from './world.ts'

const missing = missingPeers('cosign', 'crane', 'docker-registry')

describe.skipIf(missing.length > 0)('images that files mention', () => {
  let world: World
  let registries: Registries
  let key: string
  const image = (name: string): string => `${registries.docker}/manifests/${name}:v1`

  beforeAll(async () => {
    world = makeWorld()
    registries = await startRegistries()
    const pair = await world.key('P-256')
    key = pair.public
    for (const name of ['legacy', 'bundle', 'unsigned']) await pushImage(registries.docker, `manifests/${name}`, 'v1', name)
    const legacy = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false', '-y']
    expectExit(await world.tool('cosign', ['sign', '--key', pair.private, ...legacy, image('legacy')]), 0, 'cosign sign')
    expectExit(await world.tool('cosign', ['sign', '--key', pair.private, ...world.noServices, image('bundle')]), 0, 'cosign sign')
  })
  afterAll(async () => {
    await registries.close()
    world.remove()
  })

  const pod = (name: string): string =>
    world.file(
      `${name}.yaml`,
      `apiVersion: v1\nkind: Pod\nmetadata:\n  name: it\nspec:\n  containers:\n  - name: it\n    image: ${image(name)}\n`,
    )
  const dockerfile = (name: string): string => world.file(`${name}.Dockerfile`, `FROM ${image(name)}\n`)
  const args = (verb: string, file: string): readonly string[] => [verb, 'verify', '--key', key, '--insecure-ignore-tlog', file]

  it('with a legacy signature are verified by both', async () => {
    for (const [verb, file] of [
      ['manifest', pod('legacy')],
      ['dockerfile', dockerfile('legacy')],
    ] as const)
      for (const tool of ['cosign', 'ours'] as const) expect(shown(await world.tool(tool, args(verb, file)))).toBe('exit 0')
  })

  it('with a bundle are verified by ours; cosign 3.1.1 finds no signature', async () => {
    for (const [verb, file] of [
      ['manifest', pod('bundle')],
      ['dockerfile', dockerfile('bundle')],
    ] as const) {
      expect(shown(await world.tool('ours', args(verb, file)))).toBe('exit 0')
      expect((await world.tool('cosign', args(verb, file))).code).not.toBe(0)
    }
  })

  it('without a signature are verified by none', async () => {
    expect((await world.tool('cosign', args('manifest', pod('unsigned')))).code).not.toBe(0)
    expect((await world.tool('ours', args('manifest', pod('unsigned')))).code).toBe(10)
  })

  it('are pinned to the digest that crane finds, in a form that crane reads', async () => {
    const file = pod('bundle')
    expectExit(await world.tool('ours', ['pin', '--key', key, file]), 0, 'pin')
    const pinned = /image: (\S+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? ''
    const found = expectExit(await run(peer('crane'), ['digest', image('bundle')], { env: world.env }), 0, 'crane digest').stdout.trim()
    expect(pinned).toBe(`${image('bundle')}@${found}`)
    expectExit(await run(peer('crane'), ['manifest', pinned], { env: world.env }), 0, 'crane manifest')
  })
})
