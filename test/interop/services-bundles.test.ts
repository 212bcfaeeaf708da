/** Bundles of an installation of ours under three verifiers: ours, cosign, and @sigstore/verify; and sigstore-js as a signer. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundleFromJSON, bundleToJSON, type Bundle } from '@sigstore/bundle'
import { TrustedRoot } from '@sigstore/protobuf-specs'
import { DSSEBundleBuilder, FulcioSigner, MessageSignatureBundleBuilder, RekorWitness, TSAWitness } from '@sigstore/sign'
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectExit, shown, type Outcome } from './command.ts'
import { type Installation, startInstallation } from './installation.ts'
import { mutations, type Case, type Verdicts } from './mutations.ts'
import { missingPeers } from './peers.ts'

const artifact = Buffer.from('hello\n')
const statement = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'file.txt', digest: { sha256: '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03' } }],
  predicateType: 'https://example.org/answer',
  predicate: { answer: 42 },
}

describe.skipIf(missingPeers('cosign').length > 0)('bundles of an installation of one command', () => {
  let place: Installation
  let root: string
  let files = 0

  beforeAll(async () => {
    place = await startInstallation()
    writeFileSync(join(place.folder, 'file.txt'), artifact)
    writeFileSync(join(place.folder, 'root.json'), await (await fetch(`${place.url}/kit/root.json`)).text())
    root = await (await fetch(`${place.url}/kit/trusted_root.json`)).text()
    expectExit(await place.ours(['initialize', '--mirror', `${place.url}/tuf`, '--root', 'root.json']), 0, 'initialize')
  })

  afterAll(() => place?.stop())

  /** The three verdicts: `ok`, or why not (ours: its exit code). */
  async function verdicts({ bundle, trustedRoot }: Case, attests: boolean): Promise<Verdicts> {
    const number = ++files
    const [bundleFile, rootFile] = [`case-${number}.json`, `root-${number}.json`]
    writeFileSync(join(place.folder, bundleFile), JSON.stringify(bundle))
    writeFileSync(join(place.folder, rootFile), JSON.stringify(trustedRoot))
    const who = ['--certificate-identity=ada@example.org', `--certificate-oidc-issuer=${place.issuer}`]
    const verb = attests ? ['verify-blob-attestation', '--type', statement.predicateType] : ['verify-blob']
    const args = [...verb, '--bundle', bundleFile, '--trusted-root', rootFile, ...who, 'file.txt']
    const [cosign, ours] = await Promise.all([place.peer('cosign', args), place.ours(args)])
    return { cosign: verdict(cosign), js: javascript({ bundle, trustedRoot }, attests), ours: ours.code === 0 ? 'ok' : String(ours.code) }
  }

  function javascript({ bundle, trustedRoot }: Case, attests: boolean): string {
    try {
      const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(trustedRoot)), {
        ctlogThreshold: 1,
        tlogThreshold: 1,
        timestampThreshold: 1,
      })
      verifier.verify(toSignedEntity(bundleFromJSON(bundle), attests ? undefined : artifact), {
        subjectAlternativeName: '^ada@example\\.org$',
        extensions: { issuer: place.issuer },
      })
      return 'ok'
    } catch (error) {
      return `refused: ${String(error)}`
    }
  }

  const accepted = { cosign: 'ok', js: 'ok', ours: 'ok' }

  for (const version of [1, 2] as const) {
    for (const kind of ['message', 'DSSE'] as const) {
      it(`sigstore-js signs a ${kind} bundle with Rekor v${version}; all three verify it`, async () => {
        place.requests()
        const options = {
          signer: new FulcioSigner({ fulcioBaseURL: `${place.url}/fulcio`, identityProvider: { getToken: () => place.token('ada') } }),
          witnesses: [
            new RekorWitness({ rekorBaseURL: `${place.url}/rekor${version === 1 ? '' : '2'}`, majorApiVersion: version }),
            new TSAWitness({ tsaBaseURL: `${place.url}/tsa/api/v1/timestamp` }),
          ],
        }
        const made: Bundle =
          kind === 'message'
            ? await new MessageSignatureBundleBuilder(options).create({ data: artifact })
            : await new DSSEBundleBuilder(options).create({
                data: Buffer.from(JSON.stringify(statement)),
                type: 'application/vnd.in-toto+json',
              })
        expect(place.requests().toSorted()).toEqual([
          'POST /fulcio/api/v2/signingCert 200',
          `POST /rekor${version === 1 ? '' : '2'}/api/v${version}/log/entries 201`,
          'POST /tsa/api/v1/timestamp 200',
        ])
        const bundle: unknown = bundleToJSON(made)
        expect(await verdicts({ bundle, trustedRoot: JSON.parse(root) } as Case, kind === 'DSSE')).toEqual(accepted)
      })
    }

    it(`what we sign with Rekor v${version} all three verify, and refuse after any change`, async () => {
      const config = ['--signing-config', await place.signingConfig(version), '--identity-token', await place.token('ada')]
      // The tree has more than one entry, so that there is a proof to falsify.
      for (const name of ['first.json', 'sound.json']) {
        expectExit(await place.ours(['sign-blob', ...config, '--bundle', name, 'file.txt']), 0, 'sign-blob')
      }
      const other = [
        'sign-blob',
        '--signing-config',
        `v${version}.json`,
        '--identity-token',
        await place.token('bob'),
        '--bundle',
        'bob.json',
      ]
      expectExit(await place.ours([...other, 'file.txt']), 0, 'sign-blob')
      const bundleOf = (name: string): unknown => JSON.parse(readFileSync(join(place.folder, name), 'utf8'))
      const sound = (): Case => ({ bundle: bundleOf('sound.json'), trustedRoot: JSON.parse(root) }) as Case
      expect(await verdicts(sound(), false)).toEqual(accepted)
      const wrong: string[] = []
      for (const { name, change, accepted: but, only } of mutations) {
        if (only !== undefined && only !== version) continue
        const changed = sound()
        change(changed, bundleOf('bob.json') as Case['bundle'])
        const given = await verdicts(changed, false)
        for (const verifier of ['ours', 'cosign', 'js'] as const) {
          const expected = but?.by[version]?.includes(verifier) === true
          if ((given[verifier] === 'ok') !== expected) wrong.push(`${name}: ${verifier} ${given[verifier]}`)
        }
      }
      expect(wrong).toEqual([])
    })
  }
})

function verdict(outcome: Outcome): string {
  return outcome.code === 0 ? 'ok' : shown(outcome)
}
