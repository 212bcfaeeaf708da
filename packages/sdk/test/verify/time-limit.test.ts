import { signImageIn } from '@countersign/sdk/sign/image'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const nowMs = Date.UTC(2026, 10, 20)
const image = { place: { kind: 'registry', registry: 'memory.example', repository: 'repo' }, tag: 'v1' } as const

describe('the time for the signatures of one image', () => {
  it('attack: when worthless signatures use it up, the outcome could not be told, and is not "unsigned"', async () => {
    const repository = memoryRepository({ referrersApi: true })
    await pushImage(repository, 'hello', 'v1')
    const signer = testSigner()
    const places = { images: repository, signatures: repository }
    const request = { image, recursive: false, upload: true, annotations: {}, layout: 'bundle', signer } as const
    await signImageIn(places, request, { nowMs })
    const verify = { image, policy: keyPolicy([signer]), nowMs }
    const late = await verifyImageIn(places, { ...verify, timeLimitMs: 0 })
    expect(late).toMatchObject({ ok: false, accepted: [], failure: { code: 'limit_exceeded' }, unreadable: [{ code: 'limit_exceeded' }] })
    expect(await verifyImageIn(places, verify)).toMatchObject({ ok: true, unreadable: [] })
  })
})
