import type { FailureCode } from '@countersign/core/failure'
import type { ImageReference } from '@countersign/core/oci/reference'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { signImageIn } from '@countersign/sdk/sign/image'
import type { ImageVerification } from '@countersign/sdk/verify/requests'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import type { FaultAction } from '@countersign/testkit/registry/fault'
import { startTestRegistry, type TestRegistry } from '@countersign/testkit/registry/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const nowMs = Date.UTC(2026, 10, 20)
const signer = testSigner()
let registry: TestRegistry
let image: ImageReference
let unsigned: ImageReference

beforeAll(async () => {
  registry = await startTestRegistry({ referrers: true })
  image = { place: { kind: 'registry', registry: registry.host, repository: 'signed' }, tag: 'v1' }
  unsigned = { place: { kind: 'registry', registry: registry.host, repository: 'unsigned' }, tag: 'v1' }
  const run = createRegistryRun({ environment: {} })
  for (const one of [image, unsigned]) await pushImage(await run.open(one.place), 'hello', 'v1')
  const repository = await run.open(image.place)
  const request = { image, signer, layout: 'bundle', recursive: false, upload: true, annotations: {} } as const
  await signImageIn({ images: repository, signatures: repository }, request, { nowMs })
  run.close()
})
afterAll(() => registry.stop())

async function verifyUnder(action: FaultAction, path: RegExp, one: ImageReference): Promise<ImageVerification> {
  registry.fault({ match: { method: 'GET', path }, action })
  const run = createRegistryRun({ environment: {}, deadlineMs: 15_000 }, { retries: 0 })
  try {
    const repository = await run.open(one.place)
    return await verifyImageIn({ images: repository, signatures: repository }, { image: one, policy: keyPolicy([signer]), nowMs })
  } finally {
    run.close()
    registry.clearFaults()
  }
}

const answers: [string, FaultAction, FailureCode][] = [
  ['401', { kind: 'status', status: 401 }, 'registry_unauthorized'],
  ['403', { kind: 'status', status: 403 }, 'registry_unauthorized'],
  ['429', { kind: 'status', status: 429 }, 'registry_throttled'],
  ['500', { kind: 'status', status: 500 }, 'registry_failed'],
  ['503', { kind: 'status', status: 503 }, 'registry_failed'],
  ['garbage', { kind: 'garbage' }, 'registry_response_malformed'],
  ['a connection that ends', { kind: 'reset' }, 'registry_unreachable'],
  ['half an answer', { kind: 'truncate', afterBytes: 20 }, 'registry_unreachable'],
]

describe.each([
  ['referrers', /\/referrers\//],
  ['tags', /\/tags\/list/],
])('an unsigned image whose %s are answered with', (_name, path) => {
  it.each(answers)('%s is "could not tell", never "unsigned"', async (_answer, action, code) => {
    const result = await verifyUnder(action, path, unsigned)
    expect(result).toMatchObject({ ok: false, accepted: [], failure: { code } })
  })
})

describe('a signed image', () => {
  it('verifies without faults, and the unsigned one is unsigned', async () => {
    expect((await verifyUnder({ kind: 'delay', ms: 0 }, /none/, image)).ok).toBe(true)
    expect((await verifyUnder({ kind: 'delay', ms: 0 }, /none/, unsigned)).failure?.code).toBe('no_signature')
  })

  it.each(answers.slice(1))('whose bundle is answered with %s is not "unsigned"', async (_answer, action) => {
    const result = await verifyUnder(action, /\/blobs\/sha256:/, image)
    expect(result.ok).toBe(false)
    expect(result.failure?.code).not.toBe('no_signature')
  })

  it.each([
    ['bundle', /\/blobs\/sha256:/],
    ['manifest', /signed\/manifests\/sha256:/],
  ])('whose %s is changed on the way is altered', async (_name, path) => {
    expect((await verifyUnder({ kind: 'corrupt' }, path, image)).failure?.code).toBe('content_altered')
  })

  it('whose bundle never ends is refused in bounded memory', async () => {
    const result = await verifyUnder({ kind: 'endless' }, /\/blobs\/sha256:/, image)
    expect(result.ok).toBe(false)
    expect(result.failure?.code).not.toBe('no_signature')
  })
})
