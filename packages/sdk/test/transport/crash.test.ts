import { copyImage } from '@countersign/sdk/transport/copy'
import { faultyRepository } from '@countersign/testkit/faulty-repository'
import { testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository, type MemoryRepository } from '@countersign/testkit/memory-repository'
import { signImageIn } from '@countersign/sdk/sign/image'
import { cleanWriterTags } from '@countersign/sdk/write/clean'
import { describe, expect, it } from 'vitest'
import { expectSample, fillSample, reference, type Sample } from './sample.ts'

const stores = [
  ['the referrers API', { referrersApi: true, conditions: false }],
  ['neither referrers API nor conditions', { referrersApi: false, conditions: false }],
  ['conditions, no referrers API', { referrersApi: false, conditions: true }],
] as const

async function copy(source: MemoryRepository, destination: Parameters<typeof faultyRepository>[0]): Promise<void> {
  await copyImage({ images: source, signatures: source }, async () => destination, {
    image: { tag: 'v1' },
    tag: 'v2',
    pause: async () => undefined,
  })
}

describe.each(stores)('into a repository with %s', (_name, options) => {
  it(
    'a copy that dies before or after any write leaves no tag on half an image, and is completed by the next',
    { timeout: 60_000 },
    async () => {
      const source = memoryRepository({ referrersApi: false })
      const sample: Sample = await fillSample(source)
      const healthy = faultyRepository(memoryRepository(options), { write: Infinity, when: 'before' })
      await copy(source, healthy.repository)
      expect(healthy.writes()).toBeGreaterThan(15)
      for (let write = 1; write <= healthy.writes(); write++) {
        for (const when of ['before', 'after'] as const) {
          const destination = memoryRepository(options)
          const { repository } = faultyRepository(destination, { write, when })
          await expect(copy(source, repository)).rejects.toMatchObject({ code: 'registry_unreachable' })
          // Visible by name only with everything that belongs to it.
          if (destination.tagged.has('v2')) await expectSample(destination, 'v2', sample)
          await copy(source, destination)
          await expectSample(destination, 'v2', sample)
        }
      }
    },
  )

  it('sends nothing again that is there', async () => {
    const source = memoryRepository({ referrersApi: false })
    await fillSample(source)
    const destination = memoryRepository(options)
    await copy(source, destination)
    destination.requests.clear()
    await copy(source, destination)
    expect(destination.requests.get('putManifest') ?? 0).toBe(0)
  })

  it('loses no signature that the destination has of its own', async () => {
    const source = memoryRepository({ referrersApi: false })
    const sample = await fillSample(source)
    const destination = memoryRepository(options)
    await copy(source, destination)
    const own = testSigner()
    const request = { image: reference('v2'), signer: own, layout: 'both', recursive: false, upload: true, annotations: {} } as const
    await signImageIn({ images: destination, signatures: destination }, request, { nowMs: Date.UTC(2026, 10, 20) })
    const late = testSigner()
    await signImageIn(
      { images: source, signatures: source },
      { ...request, image: reference('v1'), signer: late },
      { nowMs: Date.UTC(2026, 10, 20) },
    )
    await copy(source, destination)
    const signers = [...sample.signers, own, late]
    expect(signers).toHaveLength(4)
    await expectSample(destination, 'v2', { ...sample, signers })
  })
})

describe('a copy', () => {
  it('into a registry without conditions leaves tags that can be cleaned away, also one with many signatures', async () => {
    const [source, destination] = [memoryRepository({}), memoryRepository({ referrersApi: false })]
    const sample = await fillSample(source)
    await copy(source, destination)
    const own = [...destination.tagged.keys()].filter((tag) => /\.w[sa]?$/.test(tag) && tag.includes(sample.index.digest.slice(7)))
    expect(own).toHaveLength(3)
    const { removed, kept } = await cleanWriterTags(destination, sample.index.digest, { nowMs: 0, olderThanMs: 0 })
    expect(removed.toSorted()).toStrictEqual(own.toSorted())
    expect(kept).toStrictEqual([])
    await expectSample(destination, 'v2', sample)
  })

  it('that would overwrite a tag is tag_taken and writes nothing, unless it is forced', async () => {
    const [source, destination] = [memoryRepository({}), memoryRepository({})]
    const sample = await fillSample(source)
    await fillSample(destination)
    const { manifest } = await destination.manifest({ tag: 'v1' }).then((stored) => ({ manifest: stored?.digest }))
    const other = await signedCopyOf(source)
    const before = destination.manifests.size
    const target = async (): Promise<MemoryRepository> => destination
    const request = { image: { digest: other }, tag: 'v1' }
    await expect(copyImage({ images: source, signatures: source }, target, request)).rejects.toMatchObject({ code: 'tag_taken' })
    expect(destination.manifests.size).toBe(before)
    expect(destination.tagged.get('v1')).toBe(manifest)
    await copyImage({ images: source, signatures: source }, target, { ...request, force: true })
    expect(destination.tagged.get('v1')).toBe(other)
    expect(sample.index.digest).toBe(manifest)
  })

  it('into a repository that confirms what it does not keep is write_not_confirmed, and sets no tag', async () => {
    const source = memoryRepository({})
    const sample = await fillSample(source)
    const destination = memoryRepository({})
    const lying: typeof destination = {
      ...destination,
      putManifest: async (reference, bytes, mediaType, condition) => {
        const written = await destination.putManifest(reference, bytes, mediaType, condition)
        destination.manifests.delete(sample.children[1].digest)
        return written
      },
    }
    await expect(copy(source, lying)).rejects.toMatchObject({ code: 'write_not_confirmed' })
    expect(destination.tagged.has('v2')).toBe(false)
  })

  it('whose check refuses opens no destination', async () => {
    const source = memoryRepository({})
    await fillSample(source)
    let opened = false
    const open = async (): Promise<MemoryRepository> => {
      opened = true
      return memoryRepository({})
    }
    const refuse = async (): Promise<never> => Promise.reject(new Error('refused by the test'))
    await expect(copyImage({ images: source, signatures: source }, open, { image: { tag: 'v1' }, check: refuse })).rejects.toThrow(
      'refused',
    )
    expect(opened).toBe(false)
  })
})

/** Any other image of the repository. */
async function signedCopyOf(repository: MemoryRepository): Promise<Sample['index']['digest']> {
  const { pushImage } = await import('@countersign/testkit/image-fixture')
  return (await pushImage(repository, 'another')).digest
}
