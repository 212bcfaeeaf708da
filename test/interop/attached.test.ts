/** What `attach`, `bundle` and `clean` write and remove, as cosign and oras see it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectExit, run } from './command.ts'
import { pushImage } from './images.ts'
import { missingPeers, peer } from './peers.ts'
import { startRegistries, type Registries } from './registries.ts'
import { makeWorld, type KeyFiles, type World } from './world.ts'

const missing = missingPeers('cosign', 'oras', 'docker-registry')

describe.skipIf(missing.length > 0)('what others made', () => {
  let world: World
  let registries: Registries
  let key: KeyFiles

  beforeAll(async () => {
    world = makeWorld()
    registries = await startRegistries()
    key = await world.key('P-256')
    world.file('predicate.json', '{"passed":true}')
    world.file('sbom.json', '{"spdxVersion":"SPDX-2.3"}')
    world.file('blob', 'the content of a file\n')
  })

  afterAll(async () => {
    await registries.close()
    world.remove()
  })

  const legacy = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false', '-y']

  async function ours(...args: string[]): Promise<string> {
    return expectExit(await world.tool('ours', args), 0, args.join(' ')).stdout
  }

  async function cosign(...args: string[]): Promise<number> {
    return (await world.tool('cosign', args)).code
  }

  function hosts(): readonly string[] {
    return [registries.docker, registries.oci11]
  }

  it('verifies with cosign once it is attached: a bundle, a payload, an envelope in both layouts', async () => {
    for (const host of hosts()) {
      const [from, to] = [`${host}/attach/from:v1`, `${host}/attach/to:v1`]
      await pushImage(host, 'attach/from', 'v1', 'attached')
      await pushImage(host, 'attach/to', 'v1', 'attached')
      expectExit(await world.tool('cosign', ['sign', '--key', key.private, ...world.noServices, from]), 0, 'cosign sign')
      world.file('image.sigstore.json', (await ours('download', 'signature', from)).split('\n')[0] ?? '')
      await ours('attach', 'signature', '--bundle', 'image.sigstore.json', to)
      expect(await cosign('verify', '--key', key.public, '--insecure-ignore-tlog', to)).toBe(0)

      const attest = ['attest', '--key', key.private, '--type', 'custom', '--predicate', 'predicate.json', ...legacy, from]
      expectExit(await world.tool('cosign', attest), 0, 'cosign attest')
      world.file('envelope.json', (await ours('download', 'attestation', from)).split('\n')[0] ?? '')
      await ours('attach', 'attestation', '--layout', 'both', '--attestation', 'envelope.json', to)
      const verify = ['verify-attestation', '--type', 'custom', '--key', key.public, '--insecure-ignore-tlog']
      expect(await cosign(...verify, to)).toBe(0)
      expect(await cosign(...verify, '--new-bundle-format=false', to)).toBe(0)

      const payload = expectExit(await world.tool('cosign', ['generate', to]), 0, 'cosign generate').stdout.trimEnd()
      world.file('payload.json', payload)
      const sign = ['sign-blob', '--key', key.private, ...legacy, '--output-signature', 'payload.sig', 'payload.json']
      expectExit(await world.tool('cosign', sign), 0, 'cosign sign-blob')
      await ours('attach', 'signature', '--payload', 'payload.json', '--signature', 'payload.sig', to)
      expect(await cosign('verify', '--new-bundle-format=false', '--key', key.public, '--insecure-ignore-tlog', to)).toBe(0)
    }
  })

  it('is found by oras and cosign where it is an SBOM', async () => {
    for (const host of hosts()) {
      const image = `${host}/attach/sbom:v1`
      await pushImage(host, 'attach/sbom', 'v1', 'sbom')
      await ours('attach', 'sbom', '--sbom', 'sbom.json', '--layout', 'both', image)
      const args = ['discover', '--plain-http', '--format', 'json', '--artifact-type', 'application/spdx+json', image]
      expect(expectExit(await run(peer('oras'), args, { env: world.env }), 0, 'oras discover').stdout).toContain('application/spdx+json')
      expect((await world.tool('cosign', ['download', 'sbom', image])).stdout).toContain('SPDX-2.3')
    }
  })

  it('is gone for cosign and oras after clean, and the image is not', async () => {
    for (const host of hosts()) {
      const image = `${host}/attach/clean:v1`
      await pushImage(host, 'attach/clean', 'v1', 'clean')
      await ours('sign', '--key', key.private, '--layout', 'both', image)
      await ours('attach', 'sbom', '--sbom', 'sbom.json', image)
      await ours('clean', '--force', '--type', 'signature', image)
      expect(await cosign('verify', '--key', key.public, '--insecure-ignore-tlog', image)).toBe(10)
      const discover = ['discover', '--plain-http', '--format', 'json', image]
      const left = expectExit(await run(peer('oras'), discover, { env: world.env }), 0, 'oras discover').stdout
      expect(left).toContain('application/spdx+json')
      expect(left).not.toContain('sigstore.bundle')
      await ours('clean', '--force', image)
      expect(expectExit(await run(peer('oras'), discover, { env: world.env }), 0, 'oras discover').stdout).not.toContain(
        'application/spdx+json',
      )
    }
  })

  it('verifies with cosign once it is a bundle: a detached signature, and the bundle of an older cosign', async () => {
    const sign = ['sign-blob', '--key', key.private, ...legacy, '--output-signature', 'blob.sig', '--bundle', 'blob.bundle', 'blob']
    expectExit(await world.tool('cosign', sign), 0, 'cosign sign-blob')
    await ours('bundle', 'create', '--artifact', 'blob', '--signature', 'blob.sig', '--key', key.public, '--out', 'created.json')
    await ours('bundle', 'upgrade', 'blob.bundle', '--artifact', 'blob', '--out', 'upgraded.json')
    for (const bundle of ['created.json', 'upgraded.json']) {
      expect(await cosign('verify-blob', '--key', key.public, '--insecure-ignore-tlog', '--bundle', bundle, 'blob')).toBe(0)
    }
  })
})
