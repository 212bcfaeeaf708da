import type { ImageReference } from '@countersign/core/oci/reference'
import { signImageIn } from '@countersign/sdk/sign/image'
import type { SignatureLayout } from '@countersign/sdk/sign/requests'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository } from '@countersign/testkit/memory-repository'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import { describe, expect, it } from 'vitest'

const image: ImageReference = { place: { kind: 'registry', registry: 'memory.example', repository: 'repo' }, tag: 'v1' }
const nowMs = Date.UTC(2026, 10, 20)
const rounds = 20
const signers = Array.from({ length: 8 }, () => testSigner())
const merge = { pause: (round: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.random() * round)) }

describe.each([
  ['no compare-and-swap', false],
  ['compare-and-swap', true],
])('eight signers at once on a registry without referrers and with %s', (_name, conditions) => {
  it.each(['bundle', 'legacy'] as const)(
    `leave 8 of 8 signatures in the %s layout, also where cosign looks, in ${rounds} rounds`,
    async (layout) => {
      for (let round = 0; round < rounds; round++) {
        const repository = memoryRepository({ referrersApi: false, conditions, latencyMs: () => Math.random() * 3 })
        const repositories = { images: repository, signatures: repository }
        const subject = await pushImage(repository, `image ${round}`, 'v1')
        const request = { image, layout: layout as SignatureLayout, recursive: false, upload: true, annotations: {} }
        await Promise.all(signers.map((signer) => signImageIn(repositories, { ...request, signer }, { nowMs, merge })))
        const tag = `sha256-${subject.digest.slice(7)}${layout === 'legacy' ? '.sig' : ''}`
        const shared = repository.manifests.get(repository.tagged.get(tag) ?? subject.digest)
        const document = JSON.parse(new TextDecoder().decode(shared?.bytes)) as { manifests?: unknown[]; layers: unknown[] }
        expect((document.manifests ?? document.layers).length, `round ${round}`).toBe(8)
        const verified = await verifyImageIn(repositories, { image, policy: keyPolicy(signers), nowMs })
        expect(verified.accepted).toHaveLength(8)
      }
    },
  )
})
