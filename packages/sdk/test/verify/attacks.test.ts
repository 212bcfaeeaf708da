import { utf8 } from '@countersign/core/bytes'
import type { JsonValue } from '@countersign/core/json/parse'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import type { ImageReference } from '@countersign/core/oci/reference'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { loadPolicy } from '@countersign/sdk/policy/source'
import type { Repository } from '@countersign/sdk/registry/repository'
import { attestImageIn, signImageIn } from '@countersign/sdk/sign/image'
import { judgeImageIn, type ImageVerdict } from '@countersign/sdk/verify/by-policy'
import { pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const place = { kind: 'registry', registry: 'memory.example', repository: 'repo' } as const
const image: ImageReference = { place, tag: 'v1' }
const nowMs = Date.UTC(2026, 10, 20)
const [alice, bob, mallory] = [testSigner(), testSigner(), testSigner()]
const type = 'https://example.com/scan'

async function judge(repository: Repository, require: JsonValue, of: ImageReference = image): Promise<ImageVerdict> {
  const person = (signer: typeof alice, name: string): JsonValue => ({ keys: [encodePublicKeyPem(signer.publicKey)], person: name })
  const document = {
    apiVersion: 'countersign.dev/v1',
    kind: 'ArtifactPolicy',
    match: { images: ['memory.example/**'] },
    identities: { alice: person(alice, 'alice'), second: person(bob, 'alice') },
    require,
  }
  const policy = await loadPolicy(JSON.stringify(document), 'policy.json', { primitives: nodePrimitives })
  return judgeImageIn({ images: repository, signatures: repository }, { image: of, policy, nowMs })
}

async function sign(repository: Repository, signer: typeof alice, annotations: Readonly<Record<string, string>> = {}): Promise<void> {
  const request = { image, signer, layout: 'bundle', recursive: false, upload: true, annotations } as const
  await signImageIn({ images: repository, signatures: repository }, request, { nowMs })
}

async function attest(repository: Repository, signer: typeof alice, predicate: string): Promise<void> {
  const source = { kind: 'predicate', predicateType: type, predicate: utf8(predicate) } as const
  const request = { image, signer, layout: 'bundle', recursive: false, upload: true, source, replace: false } as const
  await attestImageIn({ images: repository, signatures: repository }, request, { nowMs })
}

async function withImage(): Promise<Repository> {
  const repository = memoryRepository({ referrersApi: true })
  await pushImage(repository, 'hello', 'v1')
  return repository
}

const signedByAlice = [{ name: 'signed', signature: { by: 'alice' } }]

describe('what other verifiers have fallen for', () => {
  it('attack: the tag moves after the image was judged; the next verdict is of the image that is there then', async () => {
    const repository = await withImage()
    await sign(repository, alice)
    const first = await judge(repository, signedByAlice)
    await pushImage(repository, 'evil', 'v1')
    const second = await judge(repository, signedByAlice)
    expect([first.verdict?.decision, second.verdict?.decision]).toEqual(['allow', 'deny'])
    expect(second.digest).not.toBe(first.digest)
  })

  it('attack: a forged outcome among the annotations proves nothing', async () => {
    const repository = await withImage()
    const claims = { verified: 'true', 'dev.countersign/verdict': 'allow', env: 'prod' }
    await sign(repository, mallory, claims)
    await sign(repository, alice)
    const rule = [{ name: 'signed', signature: { by: 'alice', annotations: { env: 'prod' } } }]
    expect(await judge(repository, rule)).toMatchObject({ ok: false, verdict: { rules: [{ outcome: 'failed' }] } })
  })

  it('attack: the same key twice makes no quorum', async () => {
    const repository = await withImage()
    await sign(repository, alice, { n: '1' })
    await sign(repository, alice, { n: '2' })
    expect(await judge(repository, [{ name: 'signed', signature: { by: { threshold: 2, of: ['alice', 'second'] } } }])).toMatchObject({
      ok: false,
    })
  })

  it('attack: a second account of one person makes no quorum of people', async () => {
    const repository = await withImage()
    await sign(repository, alice)
    await sign(repository, bob)
    const by = { threshold: 2, of: ['alice', 'second'] }
    expect(await judge(repository, [{ name: 'signed', signature: { by: { ...by, distinct: 'person' } } }])).toMatchObject({ ok: false })
    expect(await judge(repository, [{ name: 'signed', signature: { by } }])).toMatchObject({ ok: true })
  })

  it('attack: an image that no policy speaks of is denied', async () => {
    const repository = await withImage()
    await sign(repository, alice)
    const elsewhere = { ...image, place: { ...place, registry: 'memory.example.evil' } }
    expect(await judge(repository, signedByAlice, elsewhere)).toMatchObject({ ok: false, verdict: { matched: false } })
  })

  it('attack: an attestation of an unverified signer is not read, whatever it says', async () => {
    const repository = await withImage()
    await attest(repository, mallory, '{"critical":0}')
    await attest(repository, alice, '{"critical":3}')
    const rule = (condition: string): JsonValue => [{ name: 'scan', attestation: { type, by: 'alice', condition } }]
    expect(await judge(repository, rule('predicate.critical == 0'))).toMatchObject({ ok: false })
    expect(await judge(repository, rule('predicate.critical == 3'))).toMatchObject({ ok: true })
  })

  it('attack: evidence of yesterday does not outlive a rule that was added today', async () => {
    const repository = await withImage()
    await sign(repository, alice)
    expect(await judge(repository, signedByAlice)).toMatchObject({ ok: true })
    const stricter = [...signedByAlice, { name: 'scan', attestation: { type, by: 'alice' } }]
    expect(await judge(repository, stricter)).toMatchObject({
      ok: false,
      verdict: { rules: [{ outcome: 'satisfied' }, { outcome: 'missing' }] },
    })
  })
})
