import type { ImageReference } from '@countersign/core/oci/reference'
import { signImageIn } from '@countersign/sdk/sign/image'
import type { Signer } from '@countersign/sdk/sign/signer'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import { cleanWriterTags } from '@countersign/sdk/write/clean'
import { faultyRepository } from '@countersign/testkit/faulty-repository'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository, type MemoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const image: ImageReference = { place: { kind: 'registry', registry: 'memory.example', repository: 'repo' }, tag: 'v1' }
const signedMs = Date.UTC(2026, 10, 20)
const dayMs = 24 * 60 * 60 * 1_000
const request = { image, layout: 'both', recursive: false, upload: true, annotations: {} } as const

async function accepted(repository: MemoryRepository, signers: readonly Signer[]): Promise<number> {
  const repositories = { images: repository, signatures: repository }
  return (await verifyImageIn(repositories, { image, policy: keyPolicy(signers), nowMs: signedMs })).accepted.length
}

describe('cleaning writer tags', () => {
  it('keeps them for a day, then removes those that index and manifest hold, and loses no signature', async () => {
    const repository = memoryRepository({ referrersApi: false })
    const { digest } = await pushImage(repository, 'hello', 'v1')
    const signers = [testSigner(), testSigner()]
    for (const signer of signers) {
      await signImageIn({ images: repository, signatures: repository }, { ...request, signer }, { nowMs: signedMs })
    }
    const early = await cleanWriterTags(repository, digest, { nowMs: signedMs + dayMs - 1_000 })
    expect([early.removed.length, early.kept.length]).toStrictEqual([0, 4])
    const late = await cleanWriterTags(repository, digest, { nowMs: signedMs + dayMs })
    expect([late.removed.length, late.kept.length]).toStrictEqual([4, 0])
    expect([...repository.tagged.keys()].filter((tag) => /\.w/.test(tag))).toStrictEqual([])
    expect(await accepted(repository, signers)).toBe(4)
  })

  it('never removes the tag of a writer that died before its signature was merged', async () => {
    const repository = memoryRepository({ referrersApi: false })
    const { digest } = await pushImage(repository, 'hello', 'v1')
    const signer = testSigner()
    const dying = faultyRepository(repository, { write: 4, when: 'before' }).repository
    const signing = signImageIn({ images: dying, signatures: dying }, { ...request, layout: 'bundle', signer }, { nowMs: signedMs })
    await expect(signing).rejects.toMatchObject({ code: 'registry_unreachable' })
    const { removed, kept } = await cleanWriterTags(repository, digest, { nowMs: signedMs + 100 * dayMs, olderThanMs: 0 })
    expect([removed.length, kept.length]).toStrictEqual([0, 1])
    expect(await accepted(repository, [signer])).toBe(1)
  })

  it('puts a manifest back where the registry deletes it with its tag', async () => {
    const repository = memoryRepository({ referrersApi: false })
    const { digest } = await pushImage(repository, 'hello', 'v1')
    const signer = testSigner()
    await signImageIn({ images: repository, signatures: repository }, { ...request, signer }, { nowMs: signedMs })
    const deleteManifest: MemoryRepository['deleteManifest'] = async (reference) => {
      const found = 'tag' in reference ? repository.tagged.get(reference.tag) : reference.digest
      if (found !== undefined) await repository.deleteManifest({ digest: found })
      await repository.deleteManifest(reference)
    }
    await cleanWriterTags({ ...repository, deleteManifest }, digest, { nowMs: signedMs + dayMs })
    expect(await accepted(repository, [signer])).toBe(2)
  })
})
