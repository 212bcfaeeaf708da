import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { legacyTag } from '@countersign/core/oci/layouts'
import type { Repository } from '@countersign/sdk/registry/repository'
import { listTree } from '@countersign/sdk/discover/accessories'
import { type CleanType, executeClean, planClean } from '@countersign/sdk/transport/clean'
import { pushImage } from '@countersign/testkit/image-fixture'
import { memoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'
import { expectSample, fillSample, reference } from './sample.ts'

const stores = [
  ['the referrers API', { referrersApi: true, conditions: false }],
  ['neither referrers API nor conditions', { referrersApi: false, conditions: false }],
  ['conditions, no referrers API', { referrersApi: false, conditions: true }],
] as const

async function kindsLeft(repository: Repository, image: { readonly digest: Parameters<typeof legacyTag>[0] }): Promise<string[]> {
  const { accessories, unreadable } = await listTree(repository, image)
  expect(unreadable).toStrictEqual([])
  return accessories.map(({ kind }) => kind).toSorted()
}

describe.each(stores)('in a repository with %s', (_name, options) => {
  it.each([
    ['signature', ['sbom']],
    ['sbom', ['signature', 'signature', 'signature', 'signature']],
    ['referrer', ['sbom', 'signature', 'signature']],
    ['all', []],
  ] as const)('clean removes what it names (%s) in every layout, and nothing else', async (type, left) => {
    const repository = memoryRepository(options)
    const sample = await fillSample(repository)
    const repositories = { images: repository, signatures: repository }
    await executeClean(repository, await planClean(repositories, reference('v1'), type))
    expect(await kindsLeft(repository, sample.index)).toStrictEqual(left)
    expect(await repository.resolve({ tag: 'v1' })).toBeDefined()
    expect(await kindsLeft(repository, sample.children[0])).toStrictEqual(['attestation', 'attestation', 'signature'])
    expect((await planClean(repositories, reference('v1'), type)).removals).toStrictEqual([])
  })

  it('clean of attestations leaves the signatures of the image', async () => {
    const repository = memoryRepository(options)
    const sample = await fillSample(repository)
    const image = { digest: sample.children[0].digest }
    await executeClean(repository, await planClean({ images: repository, signatures: repository }, image, 'attestation'))
    expect(await kindsLeft(repository, image)).toStrictEqual(['signature'])
  })

  it('planning changes nothing', async () => {
    const repository = memoryRepository(options)
    const sample = await fillSample(repository)
    for (const type of ['signature', 'attestation', 'sbom', 'referrer', 'all'] satisfies CleanType[]) {
      await planClean({ images: repository, signatures: repository }, reference('v1'), type)
    }
    await expectSample(repository, 'v1', sample)
    expect(repository.requests.get('deleteManifest')).toBeUndefined()
  })
})

describe('clean', () => {
  it('attack: an image that somebody tagged as the signatures of another is left alone', async () => {
    const repository = memoryRepository({})
    const image = await pushImage(repository, 'signed', 'v1')
    const victim = await pushImage(repository, 'victim', 'release')
    for (const suffix of ['sig', 'att', 'sbom'] as const) {
      const stored = await repository.manifest({ digest: suffix === 'att' ? image.digest : victim.digest })
      await repository.putManifest({ tag: legacyTag(image.digest, suffix) }, stored?.bytes ?? utf8(''), image.mediaType)
    }
    const plan = await planClean({ images: repository, signatures: repository }, { tag: 'v1' }, 'all')
    expect(plan.removals).toStrictEqual([])
    expect(plan.suspicious).toHaveLength(3)
    await executeClean(repository, plan)
    expect(await repository.resolve({ tag: 'release' })).toBeDefined()
    expect(await repository.resolve({ tag: 'v1' })).toBeDefined()
  })

  it('in a registry that allows no deletion is write_rejected and says what to do', async () => {
    const repository = memoryRepository({})
    await fillSample(repository)
    const plan = await planClean({ images: repository, signatures: repository }, reference('v1'), 'all')
    const strict: Repository = {
      ...repository,
      deleteManifest: async () => {
        throw new CountersignError('write_rejected', 'HTTP 405: UNSUPPORTED')
      },
    }
    await expect(executeClean(strict, plan)).rejects.toMatchObject({
      code: 'write_rejected',
      hint: expect.stringContaining('REGISTRY_STORAGE_DELETE_ENABLED') as string,
    })
  })

  it('that a registry only pretends to do is write_not_confirmed', async () => {
    const repository = memoryRepository({})
    await fillSample(repository)
    const plan = await planClean({ images: repository, signatures: repository }, reference('v1'), 'all')
    const lying: Repository = { ...repository, deleteManifest: async () => undefined }
    await expect(executeClean(lying, plan, async () => undefined)).rejects.toMatchObject({ code: 'write_not_confirmed' })
  })
})
