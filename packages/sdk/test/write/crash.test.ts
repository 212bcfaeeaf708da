import { utf8 } from '@countersign/core/bytes'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { Repository } from '@countersign/sdk/registry/repository'
import { attestImageIn, signImageIn } from '@countersign/sdk/sign/image'
import type { SignedSubject } from '@countersign/sdk/sign/requests'
import type { Signer } from '@countersign/sdk/sign/signer'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import { faultyRepository } from '@countersign/testkit/faulty-repository'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository, type MemoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const image: ImageReference = { place: { kind: 'registry', registry: 'memory.example', repository: 'repo' }, tag: 'v1' }
const nowMs = Date.UTC(2026, 10, 20)

type Work = (repository: Repository, signer: Signer) => Promise<readonly SignedSubject[]>

const sign =
  (layout: 'bundle' | 'legacy' | 'both'): Work =>
  (repository, signer) => {
    const repositories = { images: repository, signatures: repository }
    return signImageIn(repositories, { image, signer, layout, recursive: false, upload: true, annotations: {} }, { nowMs })
  }

const attest: Work = (repository, signer) => {
  const source = { kind: 'predicate', predicateType: 'https://example.com/p', predicate: utf8('{}') } as const
  const request = { image, signer, source, layout: 'both', recursive: false, upload: true, replace: false } as const
  return attestImageIn({ images: repository, signatures: repository }, request, { nowMs })
}

/** A repository that already holds signatures of others, in both layouts. */
async function prepared(options: { referrersApi: boolean; conditions: boolean }, work: Work): Promise<[MemoryRepository, Signer[]]> {
  const repository = memoryRepository(options)
  await pushImage(repository, 'hello', 'v1')
  const earlier = [testSigner(), testSigner()]
  for (const signer of earlier) await work(repository, signer)
  return [repository, earlier]
}

async function acceptedOf(repository: MemoryRepository, signer: Signer, content: 'signature' | 'attestation'): Promise<number> {
  const repositories = { images: repository, signatures: repository }
  const result = await verifyImageIn(repositories, { image, policy: keyPolicy([signer], { kind: content }), nowMs })
  expect(result.unreadable).toStrictEqual([])
  return result.accepted.length
}

const works = [
  ['a bundle', sign('bundle'), 'signature', 1],
  ['a legacy signature', sign('legacy'), 'signature', 1],
  ['both layouts', sign('both'), 'signature', 2],
  ['an attestation in both layouts', attest, 'attestation', 2],
] as const

const stores = [
  ['referrers', { referrersApi: true, conditions: false }],
  ['neither referrers nor conditions', { referrersApi: false, conditions: false }],
  ['conditions only', { referrersApi: false, conditions: true }],
] as const

describe.each(stores)('on a store with %s', (_store, options) => {
  it.each(works)(
    'a writer of %s that dies at any write loses nothing, and a repeated sign completes',
    async (_name, work, content, signatures) => {
      const [measured] = await prepared(options, work)
      const healthy = faultyRepository(measured, { write: Infinity, when: 'before' })
      await work(healthy.repository, testSigner())
      expect(healthy.writes()).toBeGreaterThan(2)
      for (let write = 1; write <= healthy.writes(); write++) {
        for (const when of ['before', 'after'] as const) {
          const [repository, earlier] = await prepared(options, work)
          const signer = testSigner()
          await expect(work(faultyRepository(repository, { write, when }).repository, signer)).rejects.toMatchObject({
            code: 'registry_unreachable',
          })
          for (const other of earlier) expect(await acceptedOf(repository, other, content)).toBe(signatures)
          const [again] = await work(repository, signer)
          expect(again?.signatures).toHaveLength(signatures === 2 ? 2 : 1)
          for (const other of [...earlier, signer]) expect(await acceptedOf(repository, other, content)).toBe(signatures)
          const [third] = await work(repository, signer)
          expect(third?.signatures.every((one) => one.alreadyThere)).toBe(true)
        }
      }
    },
  )
})

describe('a writer that died after its own tag', () => {
  it.each(['bundle', 'legacy'] as const)(
    'has its %s signature found, and merged by the next writer, where cosign looks',
    async (layout) => {
      const repository = memoryRepository({ referrersApi: false })
      const subject = await pushImage(repository, 'hello', 'v1')
      const [dead, next] = [testSigner(), testSigner()]
      // Two blobs, the own tag (written by the proof that no condition is honoured), then the shared document.
      const { repository: failing } = faultyRepository(repository, { write: 4, when: 'before' })
      await expect(sign(layout)(failing, dead)).rejects.toMatchObject({ code: 'registry_unreachable' })
      const tag = `sha256-${subject.digest.slice(7)}${layout === 'legacy' ? '.sig' : ''}`
      expect(repository.tagged.has(tag)).toBe(false)
      expect(await acceptedOf(repository, dead, 'signature')).toBe(1)
      await sign(layout)(repository, next)
      const merged = repository.manifests.get(repository.tagged.get(tag) ?? subject.digest)
      const document = JSON.parse(new TextDecoder().decode(merged?.bytes)) as { manifests?: unknown[]; layers?: unknown[] }
      expect(document.manifests ?? document.layers).toHaveLength(2)
    },
  )
})
