/** {ours, cosign} signs × {ours, cosign} verifies × layout × subject × content × key, on real registries. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { attestationTypes } from './attestation-types.ts'
import { expectExit, type Tool } from './command.ts'
import { pushImage, pushIndex } from './images.ts'
import { Results, type Layout, type Mark, type Row } from './matrix-cells.ts'
import { missingPeers } from './peers.ts'
import { startRegistries, type Registries } from './registries.ts'
import { makeWorld, type KeyFiles, type KeyKind, type World } from './world.ts'

const tools: readonly Tool[] = ['ours', 'cosign']
const layouts: readonly Layout[] = ['bundle, referrers', 'bundle, fallback tag', 'legacy']
const keys: readonly KeyKind[] = ['P-256', 'RSA-2048', 'P-384']
const missing = missingPeers('cosign', 'docker-registry')

/** cosign 3.1.1 hashes with SHA-256 whatever the key, except where `--signature-digest-algorithm` reaches. */
const p384 = 'cosign 3.1.1 verifies P-384 with SHA-256 in bundles, so not even its own signatures'
/** `--signature-digest-algorithm` reaches detached signatures and images. */
const p384Blob = 'cosign 3.1.1 verifies the legacy bundle of a file with SHA-256, so not even its own of P-384'
/** Its own statement, with the tag-value text as a JSON string, is "invalid attestation: decoding json" to it. */
const spdxText = 'cosign 3.1.1 cannot read the text predicate of --type spdx, not even of its own attestations'

describe.skipIf(missing.length > 0)('the matrix of signers and verifiers', () => {
  let world: World
  let registries: Registries
  const results = new Results()

  beforeAll(async () => {
    world = makeWorld()
    registries = await startRegistries()
    for (const { type, predicate } of attestationTypes) world.file(predicateFile(type), predicate)
    world.file('blob', 'the content of a file\n')
  })

  afterAll(async () => {
    await registries.close()
    world.remove()
    const { good, bad, none } = results.counts()
    process.stdout.write(`\n${results.table()}\n\n${good} verified, ${bad} failed, ${none} that the peer does not have\n`)
  })

  for (const layout of layouts) {
    for (const key of keys) {
      for (const signer of tools) {
        for (const subject of ['image', 'index'] as const) {
          it.concurrent(`${signer} signs an ${subject} with ${key} (${layout}); ours and cosign verify`, async () => {
            const image = await fresh(layout, subject, `${signer}-${key}`)
            const files = await world.key(key)
            expectExit(await world.tool(signer, signArgs(signer, layout, 'sign', files, [image])), 0, `${signer} sign`)
            const row: Row = { subject, content: 'signature', key }
            expect(
              await refusals(row, layout, signer, (verifier) => ['verify', ...verifyFlags(verifier, layout, files, key), image]),
            ).toEqual([])
          })

          for (const { type } of attestationTypes) {
            it.concurrent(`${signer} attests ${type} of an ${subject} with ${key} (${layout}); ours and cosign verify`, async () => {
              const image = await fresh(layout, subject, `${signer}-${key}-${type}`)
              const files = await world.key(key)
              const what = ['--type', type, '--predicate', predicateFile(type), image]
              expectExit(await world.tool(signer, signArgs(signer, layout, 'attest', files, what)), 0, `${signer} attest`)
              const row: Row = { subject, content: shortType(type), key }
              expect(
                await refusals(row, layout, signer, (verifier) => {
                  return ['verify-attestation', '--type', type, ...verifyFlags(verifier, layout, files, key), image]
                }),
              ).toEqual([])
            })
          }
        }
      }
    }
  }

  for (const key of keys) {
    for (const signer of tools) {
      for (const layout of ['bundle, referrers', 'legacy'] as const) {
        it.concurrent(`${signer} signs a file with ${key} (${layout === 'legacy' ? 'legacy' : 'bundle'}); ours and cosign verify`, async () => {
          const files = await world.key(key)
          const out = `blob-${signer}-${key}-${layout.slice(0, 6)}`
          const made =
            layout === 'legacy'
              ? [
                  'sign-blob',
                  '--key',
                  files.private,
                  ...legacyFlags,
                  '--output-signature',
                  `${out}.sig`,
                  '--bundle',
                  `${out}.json`,
                  '-y',
                  'blob',
                ]
              : ['sign-blob', '--key', files.private, ...world.noServices, '--bundle', `${out}.json`, 'blob']
          expectExit(await world.tool(signer, made), 0, `${signer} sign-blob`)
          const proofs =
            layout === 'legacy'
              ? [
                  ['--signature', `${out}.sig`],
                  ['--bundle', `${out}.json`],
                ]
              : [['--bundle', `${out}.json`]]
          for (const proof of proofs) {
            const content = layout === 'legacy' && proof[0] === '--signature' ? 'detached signature' : 'signature'
            expect(
              await refusals({ subject: 'blob', content, key }, layout, signer, (verifier) => {
                return ['verify-blob', ...verifyFlags(verifier, layout, files, key), ...proof, 'blob']
              }),
            ).toEqual([])
          }
        })
      }

      for (const { type } of attestationTypes) {
        it.concurrent(`${signer} attests ${type} of a file with ${key} (bundle); ours and cosign verify`, async () => {
          const files = await world.key(key)
          const out = `att-${signer}-${key}-${predicateFile(type)}`
          const made = [
            'attest-blob',
            '--key',
            files.private,
            ...world.noServices,
            '--type',
            type,
            '--predicate',
            predicateFile(type),
            '--bundle',
            out,
            'blob',
          ]
          expectExit(await world.tool(signer, made), 0, `${signer} attest-blob`)
          expect(
            await refusals({ subject: 'blob', content: shortType(type), key }, 'bundle, referrers', signer, (verifier) => {
              return [
                'verify-blob-attestation',
                '--type',
                type,
                ...verifyFlags(verifier, 'bundle, referrers', files, key),
                '--bundle',
                out,
                'blob',
              ]
            }),
          ).toEqual([])
        })
      }
    }
  }

  /** Verifies with both, notes the cells, and gives what must not be: refusals without a known reason. */
  async function refusals(row: Row, layout: Layout, signer: Tool, command: (verifier: Tool) => readonly string[]): Promise<string[]> {
    const failures: string[] = []
    for (const verifier of tools) {
      const outcome = await world.tool(verifier, command(verifier))
      const reason = verifier === 'cosign' ? cosignLacks(row, layout) : undefined
      const mark: Mark = outcome.code === 0 ? { kind: 'good' } : reason === undefined ? { kind: 'bad' } : { kind: 'none', reason }
      results.set(row, layout, signer, verifier, mark)
      if (mark.kind === 'bad') failures.push(`${verifier} ${command(verifier).join(' ')}: exit ${outcome.code}\n${outcome.stderr}`)
    }
    return failures
  }

  let counter = 0
  async function fresh(layout: Layout, subject: 'image' | 'index', label: string): Promise<string> {
    const host = layout === 'bundle, referrers' ? registries.oci11 : registries.docker
    const repository = `matrix/${subject}${counter++}`
    const push = subject === 'image' ? pushImage : pushIndex
    return `${host}/${repository}@${await push(host, repository, 'v1', label)}`
  }

  function signArgs(signer: Tool, layout: Layout, verb: 'sign' | 'attest', files: KeyFiles, rest: readonly string[]): string[] {
    const flags = layout !== 'legacy' ? world.noServices : signer === 'ours' ? ['--layout', 'legacy', '-y'] : [...legacyFlags, '-y']
    return [verb, '--key', files.private, ...flags, ...rest]
  }
})

const legacyFlags = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false']

function verifyFlags(verifier: Tool, layout: Layout, files: KeyFiles, key: KeyKind): string[] {
  const flags = ['--key', files.public, '--insecure-ignore-tlog']
  if (verifier === 'cosign' && key === 'P-384' && layout === 'legacy') flags.push('--signature-digest-algorithm', 'sha384')
  return flags
}

/** Why cosign cannot be expected to verify a cell, whoever signed it. */
function cosignLacks(row: Row, layout: Layout): string | undefined {
  if (row.content === 'attestation spdx') return spdxText
  if (row.key !== 'P-384') return undefined
  if (layout !== 'legacy') return p384
  return row.subject === 'blob' && row.content === 'signature' ? p384Blob : undefined
}

function predicateFile(type: string): string {
  return `${type.replaceAll(/[^a-z0-9]/g, '-')}.predicate`
}

function shortType(type: string): string {
  return type.startsWith('https:') ? 'attestation of a URI type' : `attestation ${type}`
}
