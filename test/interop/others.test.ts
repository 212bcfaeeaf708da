/** What other people's registry tools make of what we wrote. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectExit, run, shown } from './command.ts'
import { pushImage, readManifest } from './images.ts'
import { missingPeers, peer } from './peers.ts'
import { startRegistries, type Registries } from './registries.ts'
import { makeWorld, type World } from './world.ts'

const missing = missingPeers('cosign', 'oras', 'crane', 'docker-registry')
const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json'

describe.skipIf(missing.length > 0)('a signature that we wrote', () => {
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

  const signed = async (host: string, repository: string): Promise<string> => {
    const digest = await pushImage(host, repository, 'v1', repository)
    const key = await world.key('P-256')
    expectExit(await world.tool('ours', ['sign', '--key', key.private, ...world.noServices, `${host}/${repository}:v1`]), 0, 'sign')
    return digest
  }

  for (const place of ['oci11', 'docker'] as const) {
    it(`is what oras discover finds by its artifact type (${place === 'oci11' ? 'referrers API' : 'fallback tag'})`, async () => {
      const host = registries[place]
      const digest = await signed(host, `others/oras-${place}`)
      const args = ['discover', '--plain-http', '--format', 'json', '--artifact-type', bundleType, `${host}/others/oras-${place}@${digest}`]
      const outcome = expectExit(await run(peer('oras'), args, { env: world.env }), 0, 'oras discover')
      const found = JSON.parse(outcome.stdout) as { referrers?: { artifactType: string; annotations?: Record<string, string> }[] }
      expect(found.referrers?.map((one) => one.artifactType)).toEqual([bundleType])
      expect(found.referrers?.[0]?.annotations?.['dev.sigstore.bundle.predicateType']).toBe('https://sigstore.dev/cosign/sign/v1')
    })
  }

  it('is a tag that crane lists, a manifest that crane validates and a blob that crane reads (fallback tag)', async () => {
    const host = registries.docker
    const digest = await signed(host, 'others/crane')
    const tag = `sha256-${digest.slice(7)}`
    const tags = expectExit(await run(peer('crane'), ['ls', `${host}/others/crane`], { env: world.env }), 0, 'crane ls').stdout.split('\n')
    expect(tags).toContain(tag)
    const index = await readManifest(host, 'others/crane', tag)
    expect(index?.manifests?.map((one) => one.artifactType)).toEqual([bundleType])
    const manifest = expectExit(
      await run(peer('crane'), ['manifest', `${host}/others/crane@${index?.manifests?.[0]?.digest}`], { env: world.env }),
      0,
      'crane manifest',
    )
    const layer = (JSON.parse(manifest.stdout) as { layers: { digest: string }[] }).layers[0]?.digest
    const blob = expectExit(await run(peer('crane'), ['blob', `${host}/others/crane@${layer}`], { env: world.env }), 0, 'crane blob')
    expect((JSON.parse(blob.stdout) as { mediaType: string }).mediaType).toBe(bundleType)
  })

  it('goes along when oras copies the image with its referrers, and verifies there', async () => {
    const from = registries.oci11
    const digest = await signed(from, 'others/copied')
    const target = `${from}/others/target:v1`
    expectExit(
      await run(peer('oras'), ['copy', '-r', '--from-plain-http', '--to-plain-http', `${from}/others/copied@${digest}`, target], {
        env: world.env,
      }),
      0,
      'oras copy',
    )
    const key = await world.key('P-256')
    for (const tool of ['ours', 'cosign'] as const) {
      const verify = await world.tool(tool, ['verify', '--key', key.public, '--insecure-ignore-tlog', `${from}/others/target@${digest}`])
      expect(shown(verify)).toBe('exit 0')
    }
  })

  it('verifies with both tools beside one that oras attached', async () => {
    const host = registries.docker
    const digest = await signed(host, 'others/attached')
    const key = await world.key('P-256')
    const other = await world.key('RSA-2048')
    const signed2 = await world.tool('cosign', [
      'sign',
      '--key',
      other.private,
      ...world.noServices,
      '--upload=false',
      '--bundle',
      'attached.json',
      `${host}/others/attached@${digest}`,
    ])
    expectExit(signed2, 0, 'cosign sign')
    const attach = [
      'attach',
      '--plain-http',
      '--artifact-type',
      bundleType,
      `${host}/others/attached@${digest}`,
      `attached.json:${bundleType}`,
    ]
    expectExit(await run(peer('oras'), attach, { env: world.env, cwd: world.folder }), 0, 'oras attach')
    for (const tool of ['ours', 'cosign'] as const) {
      for (const one of [key, other]) {
        const verify = await world.tool(tool, [
          'verify',
          '--key',
          one.public,
          '--insecure-ignore-tlog',
          `${host}/others/attached@${digest}`,
        ])
        expect(shown(verify)).toBe('exit 0')
      }
    }
  })
})

describe.skipIf(missing.length > 0)('keys', () => {
  let world: World
  beforeAll(() => {
    world = makeWorld()
  })
  afterAll(() => world.remove())

  it('that we generate sign with cosign, and those that cosign generates sign with us', async () => {
    world.file('text', 'some text\n')
    expectExit(await world.tool('ours', ['generate-key-pair', '--output-key-prefix', 'ours']), 0, 'ours generate-key-pair')
    expectExit(await world.tool('cosign', ['generate-key-pair', '--output-key-prefix', 'theirs']), 0, 'cosign generate-key-pair')
    for (const [signer, prefix] of [
      ['cosign', 'ours'],
      ['ours', 'theirs'],
    ] as const) {
      const bundle = `${prefix}.json`
      expectExit(
        await world.tool(signer, ['sign-blob', '--key', `${prefix}.key`, ...world.noServices, '--bundle', bundle, 'text']),
        0,
        `${signer} sign-blob`,
      )
      for (const verifier of ['ours', 'cosign'] as const) {
        const args = ['verify-blob', '--key', `${prefix}.pub`, '--insecure-ignore-tlog', '--bundle', bundle, 'text']
        expect(shown(await world.tool(verifier, args))).toBe('exit 0')
      }
    }
  })

  it('that we generate are encrypted no weaker than cosign does: scrypt with N of 65536', async () => {
    expectExit(await world.tool('ours', ['generate-key-pair', '--output-key-prefix', 'strong']), 0, 'generate-key-pair')
    const { readFileSync } = await import('node:fs')
    const body = readFileSync(`${world.folder}/strong.key`, 'utf8').replaceAll(/-----.*-----|\s/g, '')
    const { kdf } = JSON.parse(Buffer.from(body, 'base64').toString()) as { kdf: { params: { N: number; r: number; p: number } } }
    expect(kdf.params).toEqual({ N: 65536, r: 8, p: 1 })
  })
})
