/** What cosign and oras make of what `initialize`, `doctor` and `migrate` leave behind. */
import { readFileSync } from 'node:fs'
import { startTufMirror, tufKey, tufState, type TufMirror } from '@countersign/testkit/tuf-mirror'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectExit, run, shown } from './command.ts'
import { pushImage } from './images.ts'
import { missingPeers, peer } from './peers.ts'
import { startRegistries, type Registries } from './registries.ts'
import { makeWorld, type World } from './world.ts'

const missing = missingPeers('cosign', 'oras', 'docker-registry')
const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json'
const legacy = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false', '-y']
let world: World

beforeAll(() => {
  world = makeWorld()
})
afterAll(() => world.remove())

describe.skipIf(missing.length > 0)('the folder of trusted roots', () => {
  const key = tufKey()
  const trustedRoot = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'
  const signingConfig = '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}'
  const state = tufState(key, { 'trusted_root.json': trustedRoot, 'signing_config.v0.2.json': signingConfig })
  let mirror: TufMirror

  beforeAll(async () => {
    mirror = await startTufMirror(state)
    world.file('root.json', mirror.files.get('/1.root.json') ?? '')
  })
  afterAll(() => mirror.stop())

  const initialize = (tool: 'ours' | 'cosign', folder: string) =>
    world.tool(tool, ['initialize', '--mirror', mirror.url, '--root', 'root.json'], { env: { TUF_ROOT: `${world.folder}/${folder}` } })

  it('that we fill is the one that cosign uses: it fetches nothing again but root and timestamp', async () => {
    expectExit(await initialize('ours', 'by-ours'), 0, 'initialize')
    mirror.asked.splice(0)
    world.file('text', 'a text')
    const { private: privateKey, public: publicKey } = await world.key('P-256')
    expectExit(
      await world.tool('cosign', ['sign-blob', '--key', privateKey, ...world.noServices, '--bundle', 'text.json', 'text']),
      0,
      'sign',
    )
    const env = { TUF_ROOT: `${world.folder}/by-ours` }
    const verify = await world.tool('cosign', ['verify-blob', '--key', publicKey, '--bundle', 'text.json', 'text'], { env })
    // It demands a log entry of the trusted root that it has read.
    expect(verify.stderr).toContain('not enough verified log entries')
    expect(new Set(mirror.asked)).toEqual(new Set(['/2.root.json', '/timestamp.json']))
  })

  it('that cosign fills is the one that we use and refresh', async () => {
    expectExit(await initialize('cosign', 'by-cosign'), 0, 'cosign initialize')
    const env = { TUF_ROOT: `${world.folder}/by-cosign` }
    mirror.show({ ...state, version: 2 })
    expectExit(await world.tool('ours', ['trusted-root', 'refresh'], { env }), 0, 'refresh')
    const identity = ['--certificate-identity', 'a@example.org', '--certificate-oidc-issuer', 'https://accounts.example.org']
    mirror.asked.splice(0)
    const verify = await world.tool('ours', ['verify-blob', ...identity, '--bundle', 'text.json', 'text'], { env })
    expect(verify.stderr).toContain('Using the initialized trusted root')
    expect(mirror.asked).toEqual([])
    expectExit(await initialize('cosign', 'by-cosign'), 0, 'cosign initialize again')
  })

  it('holds the same files, whoever fills it', async () => {
    await initialize('ours', 'one')
    await initialize('cosign', 'two')
    const name = mirror.url.slice('http://'.length).replace(':', '-')
    for (const file of ['root', 'timestamp', 'snapshot', 'targets', 'targets/trusted_root', 'targets/signing_config.v0.2']) {
      const [ours, theirs] = ['one', 'two'].map((folder) => readFileSync(`${world.folder}/${folder}/${name}/${file}.json`, 'utf8'))
      expect(ours).toBe(theirs)
    }
    expect(readFileSync(`${world.folder}/one/remote.json`, 'utf8')).toBe(readFileSync(`${world.folder}/two/remote.json`, 'utf8'))
  })
})

describe.skipIf(missing.length > 0)('a registry', () => {
  let registries: Registries
  beforeAll(async () => {
    registries = await startRegistries()
  })
  afterAll(() => registries.close())

  const discovered = async (reference: string): Promise<number> => {
    const args = ['discover', '--plain-http', '--format', 'json', '--artifact-type', bundleType, reference]
    const found = JSON.parse(expectExit(await run(peer('oras'), args, { env: world.env }), 0, 'oras discover').stdout) as {
      referrers?: unknown[]
      manifests?: unknown[]
    }
    return (found.referrers ?? found.manifests ?? []).length
  }

  it('in which cosign signed shows oras the signature once the doctor has been there, and cosign still verifies it', async () => {
    const key = await world.key('P-256')
    const reference = `${registries.docker}/care/sick@${await pushImage(registries.docker, 'care/sick', 'v1', 'sick')}`
    expectExit(await world.tool('cosign', ['sign', '--key', key.private, ...world.noServices, reference]), 0, 'cosign sign')
    expect(await discovered(reference)).toBe(0)
    expectExit(await world.tool('ours', ['doctor', reference]), 1, 'doctor')
    expectExit(await world.tool('ours', ['doctor', '--fix', reference]), 0, 'doctor --fix')
    expect(await discovered(reference)).toBe(1)
    expect(shown(await world.tool('cosign', ['verify', '--key', key.public, '--insecure-ignore-tlog', reference]))).toBe('exit 0')
  })

  it('whose fallback index cosign copy has overwritten with the image is repaired', async () => {
    const key = await world.key('P-256')
    const digest = await pushImage(registries.docker, 'care/copied', 'v1', 'copied')
    const reference = `${registries.docker}/care/copied@${digest}`
    expectExit(await world.tool('ours', ['sign', '--key', key.private, reference]), 0, 'sign')
    const copy = ['copy', '-f', `${registries.docker}/care/copied:v1`, `${registries.docker}/care/copied:v2`]
    await world.tool('cosign', copy)
    const tag = `${registries.docker}/care/copied:sha256-${digest.slice(7)}`
    expectExit(await run(peer('oras'), ['tag', '--plain-http', reference, tag.split(':').at(-1) ?? ''], { env: world.env }), 0, 'oras tag')
    const verify = ['verify', '--key', key.public, '--insecure-ignore-tlog', reference]
    expect((await world.tool('cosign', verify)).code).not.toBe(0)
    expectExit(await world.tool('ours', ['doctor', '--fix', reference]), 0, 'doctor --fix')
    expect(shown(await world.tool('cosign', verify))).toBe('exit 0')
  })

  for (const place of ['docker', 'oci11'] as const) {
    for (const by of ['cosign', 'ours'] as const) {
      it(`shows cosign 3 a legacy attestation that ${by} made, once it is migrated (${place})`, async () => {
        const key = await world.key('P-256')
        const host = registries[place]
        const repository = `care/old-${by}`
        const reference = `${host}/${repository}@${await pushImage(host, repository, 'v1', repository)}`
        world.file('predicate.json', '{"passed":true}')
        const type = ['--type', 'https://example.com/test', '--predicate', 'predicate.json']
        const layout = by === 'cosign' ? legacy : ['--layout', 'legacy']
        expectExit(await world.tool(by, ['attest', '--key', key.private, ...layout, ...type, reference]), 0, 'attest')
        expectExit(await world.tool('ours', ['migrate', '--keep=false', reference]), 0, 'migrate')
        for (const tool of ['cosign', 'ours'] as const) {
          const verify = [
            'verify-attestation',
            '--key',
            key.public,
            '--insecure-ignore-tlog',
            '--type',
            'https://example.com/test',
            reference,
          ]
          expect(shown(await world.tool(tool, verify))).toBe('exit 0')
        }
        expect(await discovered(reference)).toBe(1)
        expectExit(await world.tool('ours', ['doctor', reference]), 0, 'doctor')
      })
    }
  }
})
