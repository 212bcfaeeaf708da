import { utf8 } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import { fallbackTag } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import type { Repository } from '@countersign/sdk/registry/repository'
import { sha256Digest } from '@countersign/sdk/registry/verified-stream'
import { copyImage } from '@countersign/sdk/transport/copy'
import { gatherInventory } from '@countersign/sdk/transport/gather'
import { pushImage } from '@countersign/testkit/image-fixture'
import { memoryRepository, type MemoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'

type Parts = { readonly artifactType?: string; readonly configType?: string; readonly layerType?: string; readonly content?: string }

/** Puts a referrer of a subject. */
async function refer(repository: Repository, { mediaType, digest, size }: Descriptor, parts: Parts): Promise<Descriptor> {
  const [config, layer] = [utf8('{}'), utf8(parts.content ?? JSON.stringify(parts))]
  await Promise.all([repository.putBlob(config), repository.putBlob(layer)])
  const bytes = utf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      ...(parts.artifactType === undefined ? {} : { artifactType: parts.artifactType }),
      config: { mediaType: parts.configType ?? 'application/vnd.oci.empty.v1+json', digest: sha256Digest(config), size: 2 },
      layers: [{ mediaType: parts.layerType ?? 'application/octet-stream', digest: sha256Digest(layer), size: layer.length }],
      subject: { mediaType, digest, size },
    }),
  )
  const own = sha256Digest(bytes)
  await repository.putManifest({ digest: own }, bytes, manifestType)
  return { mediaType: manifestType, digest: own, size: bytes.length }
}

async function copyOf(source: MemoryRepository): Promise<{ readonly destination: MemoryRepository; readonly lines: readonly string[] }> {
  const destination = memoryRepository({ referrersApi: false })
  const { accessories, unreadable } = await copyImage({ images: source, signatures: source }, async () => destination, {
    image: { tag: 'v1' },
    tag: 'v1',
  })
  return { destination, lines: [...accessories.map(({ layout, kind }) => `${layout} ${kind}`), ...unreadable.map(({ code }) => code)] }
}

describe('an inventory', () => {
  it.each<readonly [string, Parts]>([
    ['notation signature', { configType: 'application/vnd.cncf.notary.signature', layerType: 'application/jose+json' }],
    ['notation signature', { artifactType: 'application/vnd.cncf.notary.signature', layerType: 'application/cose' }],
    [
      'legacy-referrer signature',
      { configType: 'application/vnd.dev.cosign.artifact.sig.v1+json', layerType: 'application/vnd.dev.cosign.simplesigning.v1+json' },
    ],
    ['legacy-referrer attestation', { layerType: 'application/vnd.dsse.envelope.v1+json' }],
    ['referrer sbom', { artifactType: 'application/spdx+json', layerType: 'application/spdx+json' }],
    ['referrer sbom', { artifactType: 'application/vnd.example', layerType: 'application/vnd.cyclonedx+json' }],
    ['referrer artifact', { artifactType: 'application/vnd.example' }],
    [
      'bundle unreadable',
      { artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json', layerType: 'application/vnd.dev.sigstore.bundle.v0.3+json' },
    ],
  ])('knows a %s by its manifest, and carries it', async (line, parts) => {
    const source = memoryRepository({})
    const referrer = await refer(source, await pushImage(source, 'hello', 'v1'), parts)
    const { destination, lines } = await copyOf(source)
    expect(lines).toStrictEqual([line])
    expect(destination.manifests.has(referrer.digest)).toBe(true)
  })

  it('carries a referrer that is an index, with what it lists', async () => {
    const source = memoryRepository({})
    const subject = await pushImage(source, 'hello', 'v1')
    const child = await pushImage(source, 'child of the referrer')
    const { mediaType, digest, size } = subject
    const bytes = utf8(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: indexType,
        artifactType: 'a/b',
        manifests: [child],
        subject: { mediaType, digest, size },
      }),
    )
    await source.putManifest({ digest: sha256Digest(bytes) }, bytes, indexType)
    const { destination } = await copyOf(source)
    expect(destination.manifests.has(child.digest)).toBe(true)
    expect(destination.manifests.has(sha256Digest(bytes))).toBe(true)
    const index = destination.manifests.get(destination.tagged.get(fallbackTag(digest)) as Digest)
    expect(new TextDecoder().decode(index?.bytes)).toContain(sha256Digest(bytes))
  })

  it('names what is listed and not there, and carries the rest', async () => {
    const source = memoryRepository({ referrersApi: false })
    const subject = await pushImage(source, 'hello', 'v1')
    const there = await refer(source, subject, { artifactType: 'a/b' })
    const gone = { ...there, digest: sha256Digest(utf8('gone')) }
    const bytes = utf8(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [there, gone] }))
    await source.putManifest({ tag: fallbackTag(subject.digest) }, bytes, indexType)
    const { destination, lines } = await copyOf(source)
    expect(lines).toStrictEqual(['referrer artifact', 'registry_failed'])
    expect(destination.tagged.has('v1')).toBe(true)
  })

  it('carries nothing when a listing cannot be read: what is there is not known', async () => {
    const source = memoryRepository({})
    await pushImage(source, 'hello', 'v1')
    const failing: Repository = {
      ...source,
      referrers: async () => {
        throw Object.assign(new Error('down'), { code: 'registry_failed' })
      },
    }
    const destination = memoryRepository({})
    const copy = copyImage({ images: failing, signatures: failing }, async () => destination, { image: { tag: 'v1' }, tag: 'v1' })
    await expect(copy).rejects.toMatchObject({ code: 'registry_failed' })
    expect(destination.manifests.size).toBe(0)
  })

  it('attack: signatures on signatures on signatures … end in limit_exceeded, and nothing is copied', async () => {
    const source = memoryRepository({})
    let subject = await pushImage(source, 'hello', 'v1')
    for (let level = 0; level < 6; level++) subject = await refer(source, subject, { artifactType: 'a/b', content: `level ${level}` })
    await expect(copyOf(source)).rejects.toMatchObject({ code: 'limit_exceeded' })
  })

  it('takes of a list only what says itself that it refers to the image', async () => {
    const source = memoryRepository({ referrersApi: false })
    const subject = await pushImage(source, 'hello', 'v1')
    const other = await refer(source, await pushImage(source, 'other'), { artifactType: 'a/b' })
    const bytes = utf8(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [other] }))
    await source.putManifest({ tag: fallbackTag(subject.digest) }, bytes, indexType)
    const repositories = { images: source, signatures: source }
    expect((await gatherInventory(repositories, subject)).accessories).toStrictEqual([])
  })
})
