/**
 * A signed image goes registry → archive → layout → registry, and nothing is lost: 2 platforms, 3 bundles, 2 legacy signatures, 4 attestations
 * of two tools, a signature of one platform, an SBOM that oras attached. cosign and ours verify every one at the end.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectExit, run, type Tool } from './command.ts'
import { pushIndex, readManifest } from './images.ts'
import { missingPeers, peer } from './peers.ts'
import { startRegistries, type Registries } from './registries.ts'
import { makeWorld, type World } from './world.ts'

const missing = missingPeers('cosign', 'oras', 'docker-registry')

/** One signature or attestation: who made it, with which key, in which layout. */
type Made = {
  readonly key: string
  readonly by: Tool
  readonly layout: 'bundle' | 'legacy'
  readonly type?: string
  readonly child?: boolean
}

const made: readonly Made[] = [
  { key: 'b1', by: 'cosign', layout: 'bundle' },
  { key: 'b2', by: 'ours', layout: 'bundle' },
  { key: 'b3', by: 'cosign', layout: 'bundle' },
  { key: 'l1', by: 'cosign', layout: 'legacy' },
  { key: 'l2', by: 'ours', layout: 'legacy' },
  { key: 'a1', by: 'cosign', layout: 'bundle', type: 'cyclonedx' },
  { key: 'a2', by: 'ours', layout: 'bundle', type: 'openvex' },
  { key: 'a3', by: 'cosign', layout: 'legacy', type: 'slsaprovenance1' },
  { key: 'a4', by: 'ours', layout: 'legacy', type: 'vuln' },
  { key: 'c1', by: 'ours', layout: 'bundle', child: true },
]

const predicates: Readonly<Record<string, string>> = {
  cyclonedx: '{"bomFormat":"CycloneDX","specVersion":"1.6"}',
  openvex:
    '{"@context":"https://openvex.dev/ns/v0.2.0","@id":"x","author":"me","timestamp":"2026-11-20T00:00:00Z","version":1,"statements":[]}',
  slsaprovenance1: '{"buildDefinition":{"buildType":"https://example.com/b"},"runDetails":{"builder":{"id":"https://example.com"}}}',
  vuln: '{"invocation":{"uri":"","event_id":"","builder.id":""},"scanner":{"uri":"","version":"","db":{"uri":"","version":""},"result":{}},"metadata":{"scanStartedOn":"2026-11-20T00:00:00Z","scanFinishedOn":"2026-11-20T00:00:00Z"}}',
}

describe.skipIf(missing.length > 0)('an image with all of this, copied along', () => {
  let world: World
  let registries: Registries
  let source: string
  let child: string

  beforeAll(async () => {
    world = makeWorld()
    registries = await startRegistries()
    for (const [type, predicate] of Object.entries(predicates)) world.file(`${type}.json`, predicate)
    await Promise.all(
      made.map(async ({ key }) =>
        expectExit(await world.tool('ours', ['generate-key-pair', '--output-key-prefix', key]), 0, 'generate-key-pair'),
      ),
    )
    const repository = 'trip/source'
    const digest = await pushIndex(registries.oci11, repository, 'v1', 'round trip')
    source = `${registries.oci11}/${repository}@${digest}`
    child = (await readManifest(registries.oci11, repository, digest))?.manifests?.[0]?.digest ?? ''
    for (const one of made) expectExit(await world.tool(one.by, signArgs(one)), 0, `${one.by} ${one.key}`)
    world.file('sbom.spdx.json', '{"spdxVersion":"SPDX-2.3"}')
    const attach = ['attach', '--plain-http', '--artifact-type', 'application/spdx+json', source, 'sbom.spdx.json:application/spdx+json']
    expectExit(await run(peer('oras'), attach, { env: world.env, cwd: world.folder }), 0, 'oras attach')
  })

  afterAll(async () => {
    await registries.close()
    world.remove()
  })

  function signArgs({ key, by, layout, type, child: onChild }: Made): string[] {
    const image = onChild === true ? childOf(source) : source
    const legacy =
      by === 'cosign' ? ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false', '-y'] : ['--layout', 'legacy']
    const what = type === undefined ? ['sign'] : ['attest', '--type', type, '--predicate', `${type}.json`]
    return [...what, '--key', `${key}.key`, ...(layout === 'legacy' ? legacy : world.noServices), image]
  }

  function childOf(image: string): string {
    return `${image.slice(0, image.indexOf('@'))}@${child}`
  }

  function verifyArgs({ key, layout, type, child: onChild }: Made, tool: Tool, image: string): string[] {
    const what = type === undefined ? ['verify'] : ['verify-attestation', '--type', type]
    const format = tool === 'cosign' && layout === 'legacy' ? ['--new-bundle-format=false'] : []
    return [...what, '--key', `${key}.pub`, '--insecure-ignore-tlog', ...format, onChild === true ? childOf(image) : image]
  }

  /** The keys whose signature or attestation a tool does not verify in a place. */
  async function lost(tool: Tool, image: string): Promise<string[]> {
    const codes = await Promise.all(made.map(async (one) => (await world.tool(tool, verifyArgs(one, tool, image))).code))
    return made.filter((_, at) => codes[at] !== 0).map(({ key }) => key)
  }

  function atDigest(host: string, repository: string): string {
    return `${host}/${repository}${source.slice(source.indexOf('@'))}`
  }

  it('verifies at the source', async () => {
    expect(await lost('cosign', source)).toEqual([])
    expect(await lost('ours', source)).toEqual([])
  })

  it('goes registry → archive → layout → registries, and cosign and ours verify every one', { timeout: 300_000 }, async () => {
    const ours = async (...args: string[]): Promise<void> => void expectExit(await world.tool('ours', args), 0, args.join(' '))
    await ours('save', '--output', 'trip.tar', source)
    expect(await lost('ours', `oci-archive:trip.tar${source.slice(source.indexOf('@'))}`)).toEqual([])
    await ours('copy', 'oci-archive:trip.tar', 'oci:trip:v1')
    expect(await lost('ours', `oci:trip${source.slice(source.indexOf('@'))}`)).toEqual([])
    for (const host of [registries.docker, registries.oci11]) {
      await ours('load', '--dir', 'trip', `${host}/trip/target:v1`)
      const target = atDigest(host, 'trip/target')
      expect(await lost('cosign', target)).toEqual([])
      expect(await lost('ours', target)).toEqual([])
      const discovered = expectExit(
        await run(peer('oras'), ['discover', '--plain-http', '--format', 'json', '--artifact-type', 'application/spdx+json', target], {
          env: world.env,
        }),
        0,
        'oras discover',
      )
      expect(discovered.stdout).toContain('application/spdx+json')
    }
  })

  it(
    'survives that its copy is killed with SIGKILL at any time: no tag on half an image, and the next copy completes it',
    { timeout: 300_000 },
    async () => {
      for (const killAfterMs of [150, 300, 450, 600, 900]) {
        const target = `${registries.docker}/trip/killed-${killAfterMs}`
        await world.tool('ours', ['copy', source, `${target}:v1`], { killAfterMs })
        const named = await readManifest(registries.docker, `trip/killed-${killAfterMs}`, 'v1')
        const incomplete = named === undefined ? [] : await lost('ours', atDigest(registries.docker, `trip/killed-${killAfterMs}`))
        expect(incomplete).toEqual([])
        expectExit(await world.tool('ours', ['copy', source, `${target}:v1`]), 0, 'copy')
      }
      expect(await lost('ours', atDigest(registries.docker, 'trip/killed-150'))).toEqual([])
      expect(await lost('cosign', atDigest(registries.docker, 'trip/killed-450'))).toEqual([])
    },
  )

  it('verifies with cosign from the folder that save wrote, in the layout that cosign reads there', async () => {
    expectExit(await world.tool('ours', ['save', '--dir', 'saved', source]), 0, 'save')
    const legacy = made.filter(({ layout, type, by }) => layout === 'legacy' && type === undefined && by === 'cosign')
    for (const { key } of legacy) {
      const args = ['verify', '--local-image', '--key', `${key}.pub`, '--insecure-ignore-tlog', 'saved']
      expect((await world.tool('cosign', args)).code).toBe(0)
    }
  })

  it('loads the folder that cosign save wrote, whatever of it cosign itself would load', async () => {
    expectExit(await world.tool('cosign', ['save', '--dir', 'by-cosign', source]), 0, 'cosign save')
    expectExit(await world.tool('ours', ['load', '--dir', 'by-cosign', `${registries.docker}/trip/by-cosign:v1`]), 0, 'load')
    expect(await lost('ours', atDigest(registries.docker, 'trip/by-cosign'))).toEqual(['c1'])
  })

  it('shows what cosign itself loses', { timeout: 300_000 }, async () => {
    const rows: string[] = []
    for (const host of [registries.docker, registries.oci11]) {
      const name = host === registries.docker ? 'docker-registry 2.8.3' : 'OCI 1.1'
      const copied = await world.tool('cosign', ['copy', source, `${host}/trip/cosign-copy:v1`])
      rows.push(
        `cosign copy to ${name}: exit ${copied.code}, loses ${(await lost('ours', atDigest(host, 'trip/cosign-copy'))).join(' ') || 'nothing'}`,
      )
      const loaded = await world.tool('cosign', ['load', '--dir', 'by-cosign', `${host}/trip/cosign-load:v1`])
      rows.push(
        `cosign save, load to ${name}: exit ${loaded.code}, loses ${(await lost('ours', atDigest(host, 'trip/cosign-load'))).join(' ') || 'nothing'}`,
      )
    }
    process.stdout.write(`\n${rows.join('\n')}\nours to both: exit 0, loses nothing\n`)
    expect(rows).toHaveLength(4)
  })
})
