/** What other tools make of the policies that we write for them. */
import { join } from 'node:path'
import { findPeer } from '@countersign/testkit/peers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectExit, run } from './command.ts'
import { pushImage } from './images.ts'
import { missingPeers, peer } from './peers.ts'
import { startRegistries, type Registries } from './registries.ts'
import { makeWorld, type World } from './world.ts'

describe.skipIf(missingPeers('cosign', 'docker-registry').length > 0)('a policy that we export', () => {
  let world: World
  let registries: Registries

  beforeAll(async () => {
    world = makeWorld()
    registries = await startRegistries()
  })
  afterAll(async () => {
    await registries.close()
    world.remove()
  })

  it('as commands of cosign fails and succeeds where our verdict denies and allows', async () => {
    const image = `${registries.docker}/export/team:v1`
    await pushImage(registries.docker, 'export/team', 'v1', 'team')
    const [alice, bob] = [await world.key('P-256'), await world.key('RSA-2048')]
    const init = ['policy', 'init', '--key', alice.public, '--key', bob.public, '--threshold', '2', '--image', `${registries.docker}/**`]
    expectExit(await world.tool('ours', [...init, '--out', 'team.yaml']), 0, 'policy init')
    const script = ['policy', 'export', '--to', 'cosign', '--image', image, '--out', 'verify.sh', 'team.yaml']
    expectExit(await world.tool('ours', script), 0, 'policy export')
    const env = { ...world.env, PATH: `${join(peer('cosign'), '..')}:${process.env['PATH'] ?? ''}` }
    const both = async (): Promise<readonly number[]> => [
      (await world.tool('ours', ['verify', '--policy', 'team.yaml', image])).code,
      (await run('sh', ['verify.sh'], { cwd: world.folder, env })).code,
    ]
    const [ours, theirs] = await both()
    expect([ours, theirs === 0]).toEqual([13, false])
    for (const [key, accepted] of [
      [alice, false],
      [bob, true],
    ] as const) {
      expectExit(await world.tool('cosign', ['sign', '--key', key.private, ...world.noServices, image]), 0, 'cosign sign')
      const [ours, theirs] = await both()
      expect([key.public, ours === 0, theirs === 0]).toEqual([key.public, accepted, accepted])
    }
  })

  it('as a trust policy is one that notation reads', async (context) => {
    const notation = findPeer('notation') ?? ''
    context.skip(notation === '', 'notation is not there')
    world.file(
      'own.yaml',
      'apiVersion: countersign.dev/v1\nkind: ArtifactPolicy\nmatch: { images: [registry.example/acme/app] }\nidentities: { acme: { x509: { roots: [{ file: root.pem }], issuer: { pattern: "(?s:.*)" } } } }\nrequire: [{ name: signed, signature: { by: acme } }]\n',
    )
    const { newAuthority } = await import('../../packages/core/test/x509/issue.ts')
    const { encodePem } = await import('@countersign/core/pem')
    world.file('root.pem', encodePem('CERTIFICATE', newAuthority().root))
    const export_ = ['policy', 'export', '--to', 'notary-trust-policy', '--out', 'trustpolicy.json', 'own.yaml']
    expectExit(await world.tool('ours', export_), 0, 'policy export')
    const read = await run(notation, ['policy', 'import', '--force', 'trustpolicy.json'], { cwd: world.folder, env: world.env })
    expect(read).toMatchObject({ code: 0 })
  })
})
