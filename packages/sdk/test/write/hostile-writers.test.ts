import { utf8 } from '@countersign/core/bytes'
import { signImageIn } from '@countersign/sdk/sign/image'
import type { Repository } from '@countersign/sdk/registry/repository'
import { pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository, type MemoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const image = { place: { kind: 'registry', registry: 'memory.example', repository: 'repo' }, tag: 'v1' } as const
const nowMs = Date.UTC(2026, 10, 20)
const indexType = 'application/vnd.oci.image.index.v1+json'
const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const merge = { pause: () => Promise.resolve() }

async function sign(repository: Repository): Promise<string> {
  const request = { image, signer: testSigner(), layout: 'bundle', recursive: false, upload: true, annotations: {} } as const
  const [signed] = await signImageIn({ images: repository, signatures: repository }, request, { nowMs, merge })
  return signed?.signatures[0]?.manifest ?? ''
}

function digestsUnder(repository: MemoryRepository, tag: string): readonly string[] {
  const index = repository.manifests.get(repository.tagged.get(tag) ?? ('' as never))
  return (JSON.parse(new TextDecoder().decode(index?.bytes)) as { manifests: { digest: string }[] }).manifests.map(({ digest }) => digest)
}

describe('attack: somebody else who may write tags', () => {
  it.each([false, true])(
    'lists what begins like our manifest in its place: ours is listed all the same (conditions: %s)',
    async (conditions) => {
      const repository = memoryRepository({ referrersApi: false, conditions })
      const subject = await pushImage(repository, 'hello', 'v1')
      const fallback = `sha256-${subject.digest.slice(7)}`
      let planted = false
      const watched: Repository = {
        ...repository,
        putManifest: async (reference, bytes, mediaType, condition) => {
          const written = await repository.putManifest(reference, bytes, mediaType, condition)
          if ('digest' in reference && !planted) {
            planted = true
            const digest = `${reference.digest.slice(0, 39)}${'0'.repeat(32)}`
            const index = { schemaVersion: 2, mediaType: indexType, manifests: [{ mediaType: manifestType, digest, size: 7 }] }
            await repository.putManifest({ tag: fallback }, utf8(JSON.stringify(index)), indexType)
          }
          return written
        },
      }
      const own = await sign(watched)
      expect(digestsUnder(repository, fallback)).toContain(own)
    },
  )

  it('pushes very many writer tags: they are not all fetched, and the signature is found all the same', async () => {
    const repository = memoryRepository({ referrersApi: false })
    const subject = await pushImage(repository, 'hello', 'v1')
    const half = (n: number): string => n.toString(16).padStart(32, '0')
    for (let n = 0; n <= 5_000; n++) repository.tagged.set(`sha256-${subject.digest.slice(7)}.${half(n)}.w`, subject.digest)
    await expect(sign(repository)).rejects.toMatchObject({ code: 'limit_exceeded' })
    expect([...repository.tagged].filter(([tag, digest]) => tag.endsWith('.w') && digest !== subject.digest)).toHaveLength(1)
  })
})
