import { utf8 } from '@countersign/core/bytes'
import type { JsonValue } from '@countersign/core/json/parse'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { CompiledPolicy } from '@countersign/core/policy/compile'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { loadPolicy } from '@countersign/sdk/policy/source'
import type { Repository } from '@countersign/sdk/registry/repository'
import { attestImageIn, signImageIn } from '@countersign/sdk/sign/image'
import type { SignatureLayout } from '@countersign/sdk/sign/requests'
import { judgeImageIn, type ImageVerdict } from '@countersign/sdk/verify/by-policy'
import { CountersignError } from '@countersign/core/failure'
import { pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const place = { kind: 'registry', registry: 'memory.example', repository: 'repo' } as const
const image: ImageReference = { place, tag: 'v1' }
const nowMs = Date.UTC(2026, 10, 20)
const [alice, bob, mallory] = [testSigner(), testSigner('ed25519'), testSigner()]
const indexType = 'application/vnd.oci.image.index.v1+json'
const type = 'https://slsa.dev/provenance/v1'

function policyOf(require: JsonValue): Promise<CompiledPolicy> {
  const key = (signer: typeof alice): JsonValue => ({ keys: [encodePublicKeyPem(signer.publicKey)] })
  const match = { images: ['memory.example/**'] }
  const identities = { alice: key(alice), bob: key(bob) }
  const text = JSON.stringify({ apiVersion: 'countersign.dev/v1', kind: 'ArtifactPolicy', match, identities, require })
  return loadPolicy(text, 'policy.json', { primitives: nodePrimitives })
}

async function signedBy(signers: readonly (readonly [typeof alice, SignatureLayout])[]): Promise<Repository> {
  const repository = memoryRepository({ referrersApi: true })
  await pushImage(repository, 'hello', 'v1')
  for (const [signer, layout] of signers) {
    const request = { image, signer, layout, recursive: false, upload: true, annotations: {} } as const
    await signImageIn({ images: repository, signatures: repository }, request, { nowMs })
  }
  return repository
}

function judge(repository: Repository, policy: CompiledPolicy): Promise<ImageVerdict> {
  return judgeImageIn({ images: repository, signatures: repository }, { image, policy, nowMs })
}

const twoOfTwo = [{ name: 'signed', signature: { by: { allOf: ['alice', 'bob'] } } }]

describe('an image judged by a policy', () => {
  it('is allowed with signatures of both, whatever the layout of each', async () => {
    const repository = await signedBy([
      [alice, 'bundle'],
      [bob, 'legacy'],
    ])
    expect(await judge(repository, await policyOf(twoOfTwo))).toMatchObject({ ok: true, verdict: { decision: 'allow' } })
  })

  it('attack: is denied with two layouts of one key, and a stranger', async () => {
    const repository = await signedBy([
      [alice, 'both'],
      [mallory, 'bundle'],
    ])
    const result = await judge(repository, await policyOf(twoOfTwo))
    expect(result).toMatchObject({ ok: false, failure: { code: 'policy_denied' }, verdict: { decision: 'deny' } })
    expect([result.accepted.length, result.rejected.length]).toEqual([2, 1])
  })

  it('could not tell while the registry does not list what there is, unless what was found suffices', async () => {
    const found = await signedBy([
      [alice, 'bundle'],
      [bob, 'bundle'],
    ])
    const down = async (): Promise<never> => {
      throw new CountersignError('registry_throttled', '429')
    }
    // oxlint-disable-next-line require-yield -- it fails before the first tag
    async function* noTags(): AsyncGenerator<string> {
      await down()
    }
    const policy = await policyOf(twoOfTwo)
    expect(await judge({ ...found, referrers: down }, policy)).toMatchObject({ ok: false, failure: { code: 'registry_throttled' } })
    expect(await judge({ ...found, tags: noTags }, policy)).toMatchObject({ verdict: { decision: 'allow' } })
  })

  it('is asked for an attestation and its content', async () => {
    const repository = await signedBy([])
    const source = { kind: 'predicate', predicateType: type, predicate: utf8('{"ref":"refs/tags/v1"}') } as const
    const request = {
      image,
      signer: alice,
      layout: 'bundle',
      recursive: false,
      upload: true,
      annotations: {},
      source,
      replace: false,
    } as const
    await attestImageIn({ images: repository, signatures: repository }, request, { nowMs })
    const rule = (condition: string): JsonValue => [{ name: 'provenance', attestation: { type, by: 'alice', condition } }]
    expect(await judge(repository, await policyOf(rule("predicate.ref.startsWith('refs/tags/')")))).toMatchObject({ ok: true })
    expect(await judge(repository, await policyOf(rule("predicate.ref == 'main'")))).toMatchObject({ ok: false })
    expect(await judge(repository, await policyOf([{ name: 'signed', signature: { by: 'alice' } }]))).toMatchObject({ ok: false })
  })

  it('is asked for its platforms: an index for what it lists, a single image for what its configuration says', async () => {
    const repository = memoryRepository({ referrersApi: true })
    const single = await pushImage(repository, 'hello', 'v1')
    const arm = { ...single, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }
    const bytes = utf8(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [arm] }))
    await repository.putManifest({ tag: 'v2' }, bytes, indexType)
    const rule = (...platforms: readonly string[]): Promise<CompiledPolicy> => policyOf([{ name: 'platforms', platforms }])
    expect(await judge(repository, await rule('linux/amd64'))).toMatchObject({ ok: true })
    expect(await judge(repository, await rule('linux/amd64', 'linux/arm64'))).toMatchObject({
      ok: false,
      failure: { code: 'policy_denied' },
    })
    const index = { images: repository, signatures: repository }
    const ofIndex = async (policy: CompiledPolicy): Promise<ImageVerdict> =>
      judgeImageIn(index, { image: { place, tag: 'v2' }, policy, nowMs })
    expect(await ofIndex(await rule('linux/arm/v7'))).toMatchObject({ ok: true })
    expect(await ofIndex(await rule('linux/amd64'))).toMatchObject({ ok: false, failure: { code: 'policy_denied' } })
  })

  it('of which the configuration says no platform is for none, and not called altered', async () => {
    const repository = memoryRepository({ referrersApi: true })
    await pushImage(repository, 'hello', 'v1')
    async function* silent(): AsyncGenerator<Uint8Array> {
      yield utf8('{"os":"","architecture":""}')
    }
    const policy = await policyOf([{ name: 'platforms', platforms: ['linux/amd64'] }])
    const verdict = await judge({ ...repository, blob: silent }, policy)
    expect(verdict).toMatchObject({ ok: false, failure: { code: 'policy_input_missing' } })
  })

  it('of which the configuration cannot be read is could not tell where platforms are asked for', async () => {
    const repository = memoryRepository({ referrersApi: true })
    await pushImage(repository, 'hello', 'v1')
    // oxlint-disable-next-line require-yield -- it fails before the first byte
    async function* down(): AsyncGenerator<Uint8Array> {
      throw new CountersignError('registry_unreachable', 'down')
    }
    const policy = await policyOf([{ name: 'platforms', platforms: ['linux/amd64'] }])
    expect(await judge({ ...repository, blob: down }, policy)).toMatchObject({ ok: false, failure: { code: 'registry_unreachable' } })
  })

  it('that does not exist is not found', async () => {
    const repository = memoryRepository({ referrersApi: true })
    expect(await judge(repository, await policyOf(twoOfTwo))).toMatchObject({ ok: false, failure: { code: 'artifact_not_found' } })
  })
})
