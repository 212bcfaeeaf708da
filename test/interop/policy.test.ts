/** What a policy makes of signatures by cosign, and cosign of signatures that a policy asks for. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodePem, encodePem } from '@countersign/core/pem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { derElement, derSequence } from '../../packages/core/src/der/writer.ts'
import { extension, extensions, issue, nameOf, newAuthority, newKey } from '../../packages/core/test/x509/issue.ts'
import { expectExit } from './command.ts'
import { pushImage } from './images.ts'
import { missingPeers } from './peers.ts'
import { startRegistries, type Registries } from './registries.ts'
import { makeWorld, type World } from './world.ts'

const legacy = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false', '-y']

describe.skipIf(missingPeers('cosign', 'docker-registry').length > 0)('policies and cosign', () => {
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

  const policy = (identity: object, signature: object = {}): string =>
    world.file(
      'policy.json',
      JSON.stringify({
        apiVersion: 'countersign.dev/v1',
        kind: 'ArtifactPolicy',
        match: { images: [`${registries.docker}/**`] },
        identities: { alice: identity },
        require: [{ name: 'signed', signature: { by: 'alice', ...signature } }],
      }),
    )

  for (const [form, flags] of [
    ['bundle', undefined],
    ['legacy', legacy],
  ] as const) {
    it(`a signature that cosign made with a certificate of one's own PKI counts under its name (${form})`, async () => {
      const image = `${registries.docker}/pki/${form}`
      await pushImage(registries.docker, `pki/${form}`, 'v1', form)
      const key = await world.key('P-256')
      const authority = newAuthority()
      const [spki] = decodePem(readFileSync(join(world.folder, key.public), 'utf8'))
      const mail = derSequence(derElement(0x81, new TextEncoder().encode('alice@acme.example')))
      const leaf = issue({
        issuer: authority.issuer,
        subject: nameOf('Alice'),
        key: { ...newKey(), spki: spki?.bytes ?? new Uint8Array() },
        extensions: [extensions.codeSigning(), extensions.keyUsage('digitalSignature'), extension('2.5.29.17', false, mail)],
      })
      const pem = (name: string, ...certificates: readonly Uint8Array[]): string =>
        world.file(`${form}-${name}`, certificates.map((der) => encodePem('CERTIFICATE', der)).join(''))
      const [certificate, chain] = [pem('leaf.pem', leaf), pem('chain.pem', authority.intermediate, authority.root)]
      const own = ['--certificate', certificate, '--certificate-chain', chain]
      expectExit(
        await world.tool('cosign', ['sign', '--key', key.private, ...own, ...(flags ?? world.noServices), `${image}:v1`]),
        0,
        'sign',
      )
      const roots = [{ file: pem('root.pem', authority.root) }]
      // cosign writes the signer's certificate alone.
      const x509 = {
        roots,
        intermediates: [{ file: pem('between.pem', authority.intermediate) }],
        verifierClock_UNSAFE: 'no timestamps here',
      }
      const judge = (subject: string) => world.tool('ours', ['verify', '--policy', policy({ x509: { ...x509, subject } }), `${image}:v1`])
      expect(expectExit(await judge('alice@acme.example'), 0, 'judge').stdout).toContain('counts as alice')
      expectExit(await judge('bob@acme.example'), 13, 'judge by another name')
      const strangers = [{ file: pem('other.pem', newAuthority().root) }]
      const other = policy({ x509: { ...x509, roots: strangers, subject: 'alice@acme.example' } })
      expectExit(await world.tool('ours', ['verify', '--policy', other, `${image}:v1`]), 13, 'judge by another authority')
    })

    it(`a signature that expires and is bound to a name still verifies with cosign (${form})`, async () => {
      const image = `${registries.docker}/terms/${form}`
      await pushImage(registries.docker, `terms/${form}`, 'v1', `terms ${form}`)
      const key = await world.key('P-256')
      const terms = ['--layout', form, '--expires', '30d', '--bind-name']
      expectExit(await world.tool('ours', ['sign', '--key', key.private, ...terms, `${image}:v1`]), 0, 'sign')
      const verify = ['verify', '--key', key.public, '--insecure-ignore-tlog', ...(form === 'legacy' ? ['--new-bundle-format=false'] : [])]
      expectExit(await world.tool('cosign', [...verify, `${image}:v1`]), 0, 'cosign verify')
      const keys = [readFileSync(join(world.folder, key.public), 'utf8')]
      const demanding = policy({ keys }, { expires: 'required', boundName: 'required' })
      const outcome = expectExit(await world.tool('ours', ['verify', '--policy', demanding, `${image}:v1`]), 0, 'judge')
      expect(outcome.stdout).toContain('counts as alice')
    })
  }

  it('a signature that cosign made has no terms: a policy that demands them denies it', async () => {
    const image = `${registries.docker}/terms/none`
    await pushImage(registries.docker, 'terms/none', 'v1', 'none')
    const key = await world.key('P-256')
    expectExit(await world.tool('cosign', ['sign', '--key', key.private, ...world.noServices, `${image}:v1`]), 0, 'sign')
    const keys = [readFileSync(join(world.folder, key.public), 'utf8')]
    for (const demand of [{ expires: 'required' }, { boundName: 'required' }]) {
      const outcome = expectExit(await world.tool('ours', ['verify', '--policy', policy({ keys }, demand), `${image}:v1`]), 13, 'judge')
      expect(outcome.stdout).toContain('does not count')
    }
  })
})
