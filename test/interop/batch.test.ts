/** Images that cosign signed, in both of its layouts and in several registries, verified in one run of ours. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectExit, shown } from './command.ts'
import { pushImage, pushIndex } from './images.ts'
import { missingPeers } from './peers.ts'
import { startRegistries, type Registries } from './registries.ts'
import { type KeyFiles, makeWorld, type World } from './world.ts'

const missing = missingPeers('cosign', 'docker-registry')
const legacy = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false']

describe.skipIf(missing.length > 0)('one run over what cosign signed', () => {
  let world: World
  let registries: Registries
  let team: KeyFiles
  let other: KeyFiles

  beforeAll(async () => {
    world = makeWorld()
    registries = await startRegistries()
    team = await world.key('P-256')
    other = await world.key('RSA-2048')
    for (const host of [registries.docker, registries.oci11]) {
      for (const name of ['bundle', 'legacy', 'strange', 'unsigned']) await pushImage(host, `batch/${name}`, 'v1', `${host} ${name}`)
      await pushIndex(host, 'batch/index', 'v1', `${host} index`)
      await sign(['--key', team.private, ...world.noServices, `${host}/batch/bundle:v1`])
      await sign(['--key', team.private, ...legacy, '-y', `${host}/batch/legacy:v1`])
      await sign(['--key', other.private, ...world.noServices, `${host}/batch/strange:v1`])
      await sign(['--recursive', '--key', team.private, ...world.noServices, `${host}/batch/index:v1`])
    }
  })
  afterAll(async () => {
    await registries.close()
    world.remove()
  })

  async function sign(args: readonly string[]): Promise<void> {
    expectExit(await world.tool('cosign', ['sign', ...args]), 0, `cosign sign ${args.at(-1) ?? ''}`)
  }

  function report(): { readonly [list in 'verified' | 'failed']: readonly { readonly subject: string; readonly code?: string }[] } {
    return JSON.parse(readFileSync(join(world.folder, 'report.json'), 'utf8')) as ReturnType<typeof report>
  }

  it(
    'verifies both layouts of cosign in both kinds of registries, and says of each of the others why not',
    { timeout: 120_000 },
    async () => {
      const names = ['bundle', 'unsigned', 'legacy', 'strange', 'index']
      const images = names.flatMap((name) => [registries.docker, registries.oci11].map((host) => `${host}/batch/${name}:v1`))
      writeFileSync(join(world.folder, 'images.txt'), images.join('\n'))
      const run = await world.tool('ours', ['verify', '--key', team.public, '-f', 'images.txt', '--report', 'json=report.json'])
      expectExit(run, 12, 'ours verify -f')
      const { verified, failed } = report()
      expect(verified.map(({ subject }) => subject)).toEqual(images.filter((image) => /bundle|legacy|index/.test(image)))
      expect(failed.map(({ subject, code }) => [subject, code])).toEqual(
        images
          .filter((image) => /unsigned|strange/.test(image))
          .map((image) => [image, image.includes('unsigned') ? 'no_signature' : 'signer_untrusted']),
      )
    },
  )

  it(
    'says with cosign that a digest is signed though the image is gone; by its tag, and unsigned, it is not there',
    { timeout: 60_000 },
    async () => {
      const name = `${registries.docker}/batch/gone`
      const images = await Promise.all(['signed', 'unsigned'].map((tag) => pushImage(registries.docker, 'batch/gone', tag, `gone ${tag}`)))
      await sign(['--key', team.private, ...world.noServices, `${name}@${images[0] ?? ''}`])
      for (const digest of images) {
        const { status } = await fetch(`http://${registries.docker}/v2/batch/gone/manifests/${digest}`, { method: 'DELETE' })
        expect(status).toBe(202)
      }
      const verify = ['verify', '--key', team.public, '--insecure-ignore-tlog']
      for (const tool of ['cosign', 'ours'] as const) {
        expectExit(await world.tool(tool, [...verify, `${name}@${images[0] ?? ''}`]), 0, `${tool} verify by digest`)
        expectExit(await world.tool(tool, [...verify, `${name}:signed`]), 11, `${tool} verify by tag`)
      }
      expectExit(await world.tool('ours', [...verify, `${name}@${images[1] ?? ''}`]), 11, 'ours verify of what nobody signed')
    },
  )

  it('takes a key of its own for each entry of a batch manifest', { timeout: 120_000 }, async () => {
    const artifacts = [registries.docker, registries.oci11].flatMap((host) => [
      { type: 'container', image: `${host}/batch/bundle:v1` },
      { type: 'container', image: `${host}/batch/strange:v1`, public_key: other.public },
    ])
    writeFileSync(join(world.folder, 'batch.json'), JSON.stringify({ version: 1, defaults: { public_key: team.public }, artifacts }))
    expect(shown(await world.tool('ours', ['verify', '-f', 'batch.json']))).toBe('exit 0')
  })

  it(
    'verifies every manifest of an index that cosign signed recursively, and the platforms that are named',
    { timeout: 120_000 },
    async () => {
      for (const host of [registries.docker, registries.oci11]) {
        const image = `${host}/batch/index:v1`
        const all = await world.tool('ours', ['verify', '-r', '--key', team.public, '--report', 'json=report.json', image])
        expectExit(all, 0, 'ours verify -r')
        expect(report().verified).toHaveLength(3)
        expectExit(
          await world.tool('ours', ['verify', '--platform', 'linux/amd64,linux/arm64', '--key', team.public, image]),
          0,
          'platforms',
        )
        expectExit(await world.tool('ours', ['verify', '--platform', 'linux/s390x', '--key', team.public, image]), 11, 'a missing platform')
      }
    },
  )

  it(
    'verifies files that cosign signed: with bundles beside them, and with detached signatures told by their content',
    { timeout: 120_000 },
    async () => {
      for (const name of ['a', 'b', 'c']) world.file(`file-${name}`, name)
      const signed = async (name: string, ...args: readonly string[]): Promise<string> =>
        expectExit(await world.tool('cosign', ['sign-blob', '--key', team.private, ...args, `file-${name}`]), 0, 'cosign sign-blob').stdout
      await signed('a', ...world.noServices, '--bundle', 'file-a.sigstore.json')
      const base64 = await signed('b', ...legacy, '-y')
      world.file('b.sig', base64)
      world.file('b.der', Buffer.from(base64.trim(), 'base64'))
      await signed('c', ...legacy, '-y', '--bundle', 'c.old.json')
      const artifacts = [
        { type: 'file', path: 'file-a' },
        { type: 'file', path: 'file-b', signature: 'b.sig' },
        { type: 'file', path: 'file-b', signature: 'b.der' },
        { type: 'file', path: 'file-c', bundle: 'c.old.json' },
      ]
      writeFileSync(join(world.folder, 'files.json'), JSON.stringify({ defaults: { public_key: team.public }, artifacts }))
      expect(shown(await world.tool('ours', ['verify', '-f', 'files.json']))).toBe('exit 0')
      world.file('file-b', 'changed')
      expectExit(await world.tool('ours', ['verify', '-f', 'files.json']), 12, 'a changed file')
    },
  )
})
