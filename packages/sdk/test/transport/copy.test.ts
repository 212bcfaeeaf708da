import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { legacyTag } from '@countersign/core/oci/layouts'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { copyImage } from '@countersign/sdk/transport/copy'
import { openDestination } from '@countersign/sdk/transport/destination'
import { memoryRepository } from '@countersign/testkit/memory-repository'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectSample, fillSample } from './sample.ts'

const stores = [
  ['the referrers API', { referrersApi: true, conditions: false }],
  ['neither referrers API nor conditions', { referrersApi: false, conditions: false }],
  ['conditions, no referrers API', { referrersApi: false, conditions: true }],
] as const

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-transport-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe.each(stores)('from a repository with %s', (_from, options) => {
  it.each(stores)('everything reaches one with %s', async (_to, target) => {
    const source = memoryRepository(options)
    const sample = await fillSample(source)
    const destination = memoryRepository(target)
    const copied = await copyImage({ images: source, signatures: source }, async () => destination, { image: { tag: 'v1' }, tag: 'v2' })
    expect(copied.unreadable).toStrictEqual([])
    await expectSample(destination, 'v2', sample)
  })

  it.each(stores)(
    'manifests of legacy signatures keep their bytes in an empty one with %s: others may refer to them',
    async (_to, target) => {
      const source = memoryRepository(options)
      const sample = await fillSample(source)
      // As another tool writes it.
      const tag = legacyTag(sample.index.digest, 'sig')
      const ours = await source.manifest({ tag })
      const theirs = utf8(`${new TextDecoder().decode(ours?.bytes).slice(0, -1)},"annotations":{"made":"elsewhere"}}`)
      await source.putManifest({ tag }, theirs, ours?.mediaType ?? '')
      const destination = memoryRepository(target)
      await copyImage({ images: source, signatures: source }, async () => destination, { image: { tag: 'v1' }, tag: 'v2' })
      for (const [digest, suffix] of [
        [sample.index.digest, 'sig'],
        [sample.children[0].digest, 'att'],
      ] as const) {
        expect(destination.tagged.get(legacyTag(digest, suffix))).toBe(source.tagged.get(legacyTag(digest, suffix)))
      }
    },
  )

  it('everything reaches a layout folder, an archive and a repository again', async () => {
    const source = memoryRepository(options)
    const sample = await fillSample(source)
    const run = createRegistryRun({ environment: {} })
    const directory = await mkdtemp(join(folder, 'layout-'))
    const file = join(directory, 'a.tar')
    const layout = await openDestination(run, { kind: 'layout', directory: join(directory, 'l') }, false)
    await copyImage({ images: source, signatures: source }, async () => layout.repository, { image: { tag: 'v1' }, tag: 'v1' })
    await expectSample(layout.repository, 'v1', sample)
    const again = await copyImage({ images: source, signatures: source }, async () => layout.repository, {
      image: { tag: 'v1' },
      tag: 'v1',
    })
    expect(again.carried).toMatchObject({ blobs: { sent: 0, bytes: 0 }, manifests: { sent: 0 } })
    const archive = await openDestination(run, { kind: 'archive', file }, false)
    const from = await run.open({ kind: 'layout', directory: join(directory, 'l') })
    await copyImage({ images: from, signatures: from }, async () => archive.repository, { image: {}, tag: 'v1' })
    await archive.finish()
    const read = await run.open({ kind: 'archive', file })
    await expectSample(read, 'v1', sample)
    const destination = memoryRepository(options)
    await copyImage({ images: read, signatures: read }, async () => destination, { image: {}, tag: 'v3' })
    await expectSample(destination, 'v3', sample)
    expect([...destination.tagged.keys()]).toContain('v3')
    run.close()
  })
})
