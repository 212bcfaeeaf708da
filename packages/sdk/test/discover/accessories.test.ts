import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { ImageReference } from '@countersign/core/oci/reference'
import { downloadAttestations, downloadSignatures, listTree } from '@countersign/sdk/discover/accessories'
import { attestImageIn, signImageIn } from '@countersign/sdk/sign/image'
import { pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository, type MemoryRepository, sha256Digest } from '@countersign/testkit/memory-repository'
import type { Descriptor } from '@countersign/core/oci/model'
import { describe, expect, it } from 'vitest'

const image: ImageReference = { place: { kind: 'registry', registry: 'memory.example', repository: 'repo' }, tag: 'v1' }
const nowMs = Date.UTC(2026, 10, 20)
const manifestType = 'application/vnd.oci.image.manifest.v1+json'

/** An image with everything: signature and attestation in both layouts, an attached SBOM, and another tool's referrer. */
async function furnished(): Promise<[MemoryRepository, Descriptor]> {
  const repository = memoryRepository()
  const repositories = { images: repository, signatures: repository }
  const subject = await pushImage(repository, 'hello', 'v1')
  const common = { image, signer: testSigner(), layout: 'both', recursive: false, upload: true } as const
  await signImageIn(repositories, { ...common, annotations: {} }, { nowMs })
  const source = { kind: 'predicate', predicateType: 'https://example.com/p', predicate: utf8('{}') } as const
  await attestImageIn(repositories, { ...common, source, replace: false }, { nowMs })
  const blob = utf8('{"spdxVersion":"SPDX-2.3"}')
  await repository.putBlob(blob)
  const layer = { mediaType: 'text/spdx+json', digest: sha256Digest(blob), size: blob.length }
  const sbom = { schemaVersion: 2, mediaType: manifestType, config: layer, layers: [layer] }
  await repository.putManifest({ tag: `sha256-${subject.digest.slice(7)}.sbom` }, utf8(JSON.stringify(sbom)), manifestType)
  const named = { mediaType: subject.mediaType, digest: subject.digest, size: subject.size }
  const other = utf8(JSON.stringify({ ...sbom, artifactType: 'application/vnd.example+json', subject: named }))
  await repository.putManifest({ digest: sha256Digest(other) }, other, manifestType)
  return [repository, subject]
}

describe('the tree of an image', () => {
  it('lists every accessory with its type and size, whatever the layout', async () => {
    const [repository, subject] = await furnished()
    const { accessories, unreadable } = await listTree(repository, subject)
    expect(unreadable).toStrictEqual([])
    expect(accessories.map(({ kind, type, places }) => [kind, type, places.join()])).toStrictEqual([
      ['signature', 'https://sigstore.dev/cosign/sign/v1', 'bundle-referrer'],
      ['attestation', 'https://example.com/p', 'bundle-referrer'],
      ['signature', 'application/vnd.dev.cosign.simplesigning.v1+json', 'legacy-tag'],
      ['attestation', 'https://example.com/p', 'legacy-tag'],
      ['sbom', 'text/spdx+json', 'legacy-tag'],
      ['artifact', 'application/vnd.example+json', 'referrers'],
    ])
    expect(accessories.every(({ size }) => size > 0)).toBe(true)
  })

  it('lists nothing that is about another image, whatever list names it', async () => {
    const [repository, subject] = await furnished()
    const other = await pushImage(repository, 'other', 'v2')
    const named = { mediaType: other.mediaType, digest: other.digest, size: other.size }
    const config = { mediaType: 'text/plain', digest: await repository.putBlob(utf8('about another')), size: 13 }
    const foreign = utf8(JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers: [], subject: named }))
    await repository.putManifest({ digest: sha256Digest(foreign) }, foreign, manifestType)
    const entry = { mediaType: manifestType, digest: sha256Digest(foreign), size: foreign.length }
    const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [entry] }
    await repository.putManifest({ tag: `sha256-${subject.digest.slice(7)}` }, utf8(JSON.stringify(index)), index.mediaType)
    const { accessories } = await listTree(repository, subject)
    expect(accessories.map(({ manifest }) => manifest)).not.toContain(sha256Digest(foreign))
    expect(accessories).toHaveLength(6)
  })

  it('says what could not be read', async () => {
    const [repository, subject] = await furnished()
    const referrers = async (): Promise<never> => {
      throw new CountersignError('registry_throttled', 'slow down')
    }
    const { accessories, unreadable } = await listTree({ ...repository, referrers }, subject)
    expect(unreadable.map(({ code }) => code)).toStrictEqual(['registry_throttled'])
    expect(accessories).toHaveLength(3)
  })
})

describe('downloads', () => {
  it('give signatures without attestations, and attestations without signatures, of both layouts', async () => {
    const [repository, subject] = await furnished()
    expect((await downloadSignatures(repository, subject)).found.map(({ origin }) => origin.layouts.join())).toStrictEqual([
      'bundle-referrer',
      'legacy-tag',
    ])
    expect((await downloadAttestations(repository, subject)).found).toHaveLength(2)
    expect((await downloadAttestations(repository, subject, 'https://example.com/p')).found).toHaveLength(2)
    expect((await downloadAttestations(repository, subject, 'https://example.com/q')).found).toHaveLength(0)
  })
})
