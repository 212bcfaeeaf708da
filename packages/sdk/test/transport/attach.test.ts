import { utf8 } from '@countersign/core/bytes'
import { buildSimpleSigning } from '@countersign/core/oci/simple-signing'
import type { Descriptor } from '@countersign/core/oci/model'
import { listTree } from '@countersign/sdk/discover/accessories'
import { discoverSignatures } from '@countersign/sdk/discover/discover'
import { attestImageIn, signImageIn } from '@countersign/sdk/sign/image'
import type { Signer } from '@countersign/sdk/sign/signer'
import {
  attachArtifact,
  attachBundle,
  attachEnvelope,
  attachLegacySbom,
  attachPayload,
  type AttachTarget,
} from '@countersign/sdk/transport/attach'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository, type MemoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'
import { reference } from './sample.ts'

const nowMs = Date.UTC(2026, 10, 20)
const created = '2026-11-20T00:00:00Z'
const stores = [
  ['the referrers API', { referrersApi: true }],
  ['no referrers API', { referrersApi: false }],
] as const

async function targetIn(repository: MemoryRepository): Promise<AttachTarget> {
  const subject: Descriptor = await pushImage(repository, 'hello', 'v1')
  return { source: { images: repository, signatures: repository }, subject, created }
}

/** Bytes as somebody made them elsewhere, over the same image. */
async function madeElsewhere(signer: Signer, kind: 'signature' | 'attestation', layout: 'bundle' | 'legacy'): Promise<Uint8Array> {
  const elsewhere = memoryRepository({})
  const subject = await pushImage(elsewhere, 'hello', 'v1')
  const repositories = { images: elsewhere, signatures: elsewhere }
  const common = { image: reference('v1'), signer, layout, recursive: false, upload: true } as const
  const source = { kind: 'predicate', predicateType: 'https://example.com/p', predicate: utf8('{}') } as const
  if (kind === 'signature') await signImageIn(repositories, { ...common, annotations: {} }, { nowMs })
  else await attestImageIn(repositories, { ...common, source, replace: false }, { nowMs })
  const { found } = await discoverSignatures(elsewhere, subject)
  return found[0]?.bytes ?? new Uint8Array()
}

async function accepted(repository: MemoryRepository, signer: Signer, kind: 'signature' | 'attestation'): Promise<number> {
  const repositories = { images: repository, signatures: repository }
  return (await verifyImageIn(repositories, { image: reference('v1'), policy: keyPolicy([signer], { kind }), nowMs })).accepted.length
}

describe.each(stores)('in a repository with %s', (_name, options) => {
  it('a bundle that was made elsewhere is attached once, and verifies', async () => {
    const repository = memoryRepository(options)
    const target = await targetIn(repository)
    const signer = testSigner()
    const bundle = await madeElsewhere(signer, 'signature', 'bundle')
    expect(await attachBundle(target, bundle, 'signature')).toMatchObject({ layout: 'bundle', alreadyThere: false })
    expect(await attachBundle(target, bundle, 'signature')).toMatchObject({ layout: 'bundle', alreadyThere: true })
    expect(await accepted(repository, signer, 'signature')).toBe(1)
  })

  it('an envelope is attached under .att once, beside those of others, and verifies', async () => {
    const repository = memoryRepository(options)
    const target = await targetIn(repository)
    const signers = [testSigner(), testSigner()]
    for (const signer of signers) {
      const envelope = await madeElsewhere(signer, 'attestation', 'legacy')
      expect(await attachEnvelope(target, envelope)).toMatchObject({ layout: 'legacy', alreadyThere: false })
      expect(await attachEnvelope(target, envelope)).toMatchObject({ layout: 'legacy', alreadyThere: true })
    }
    for (const signer of signers) expect(await accepted(repository, signer, 'attestation')).toBe(1)
  })

  it('a payload and its signature are attached under .sig once, and verify', async () => {
    const repository = memoryRepository(options)
    const target = await targetIn(repository)
    const signer = testSigner()
    const payload = buildSimpleSigning({ dockerReference: 'registry.example/app', digest: target.subject.digest, annotations: {} })
    const signature = Buffer.from(await signer.signMessage(payload)).toString('base64')
    expect(await attachPayload(target, payload, { signature })).toMatchObject({ layout: 'legacy', alreadyThere: false })
    expect(await attachPayload(target, payload, { signature })).toMatchObject({ layout: 'legacy', alreadyThere: true })
    expect(await accepted(repository, signer, 'signature')).toBe(1)
  })

  it('files are attached as an artifact once, and listed with their type', async () => {
    const repository = memoryRepository(options)
    const target = await targetIn(repository)
    const files = [{ bytes: utf8('{"spdxVersion":"SPDX-2.3"}'), mediaType: 'application/spdx+json', title: 'sbom.json' }]
    const first = await attachArtifact(target, 'application/spdx+json', files)
    const again = await attachArtifact({ ...target, created: '2027-01-01T00:00:00Z' }, 'application/spdx+json', files)
    expect([first.alreadyThere, again.alreadyThere]).toStrictEqual([false, true])
    expect(again.manifest).toBe(first.manifest)
    const { accessories } = await listTree(repository, target.subject)
    expect(accessories).toMatchObject([{ kind: 'artifact', type: 'application/spdx+json' }])
  })

  it('an SBOM under .sbom is replaced by another only when that is forced', async () => {
    const repository = memoryRepository(options)
    const target = await targetIn(repository)
    const file = { bytes: utf8('{"a":1}'), mediaType: 'text/spdx+json' }
    expect((await attachLegacySbom(target, file, false)).alreadyThere).toBe(false)
    expect((await attachLegacySbom(target, file, false)).alreadyThere).toBe(true)
    const other = { ...file, bytes: utf8('{"a":2}') }
    await expect(attachLegacySbom(target, other, false)).rejects.toMatchObject({ code: 'tag_taken' })
    expect((await attachLegacySbom(target, other, true)).alreadyThere).toBe(false)
  })
})

describe('attaching refuses', () => {
  it('attack: what was signed about another image: subject_mismatch', async () => {
    const repository = memoryRepository({})
    const subject = await pushImage(repository, 'another image', 'v1')
    const target = { source: { images: repository, signatures: repository }, subject, created }
    const signer = testSigner()
    const payload = buildSimpleSigning({
      dockerReference: 'x',
      digest: (await targetIn(memoryRepository({}))).subject.digest,
      annotations: {},
    })
    const [bundle, envelope] = [await madeElsewhere(signer, 'signature', 'bundle'), await madeElsewhere(signer, 'attestation', 'legacy')]
    const work = [
      () => attachBundle(target, bundle, 'signature'),
      () => attachEnvelope(target, envelope),
      () => attachPayload(target, payload, { signature: 'AAAA' }),
    ]
    for (const one of work) await expect(one()).rejects.toMatchObject({ code: 'subject_mismatch' })
  })

  it('attack: an attestation that is called a signature, and the other way round: predicate_mismatch', async () => {
    const target = await targetIn(memoryRepository({}))
    const signer = testSigner()
    const [signature, attestation] = [
      await madeElsewhere(signer, 'signature', 'bundle'),
      await madeElsewhere(signer, 'attestation', 'bundle'),
    ]
    await expect(attachBundle(target, attestation, 'signature')).rejects.toMatchObject({ code: 'predicate_mismatch' })
    await expect(attachBundle(target, signature, 'attestation')).rejects.toMatchObject({ code: 'predicate_mismatch' })
  })

  it('what does not parse, and a bundle of a file', async () => {
    const target = await targetIn(memoryRepository({}))
    const ofFile = utf8(
      '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{}},"messageSignature":{"messageDigest":{},"signature":"AAAA"}}',
    )
    await expect(attachBundle(target, utf8('{}'), 'signature')).rejects.toMatchObject({ code: 'bundle_malformed' })
    await expect(attachBundle(target, ofFile, 'signature')).rejects.toMatchObject({ code: 'not_supported' })
    await expect(attachEnvelope(target, utf8('{}'))).rejects.toMatchObject({ code: 'dsse_malformed' })
    await expect(attachPayload(target, utf8('{}'), { signature: 'AAAA' })).rejects.toMatchObject({ code: 'bundle_malformed' })
    await expect(attachPayload(target, utf8('{}'), { signature: '?' })).rejects.toMatchObject({ code: 'bundle_malformed' })
  })
})
