import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ImageReference } from '@countersign/core/oci/reference'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { attestImage, signImage } from '@countersign/sdk/sign/image'
import type { SignatureLayout } from '@countersign/sdk/sign/requests'
import type { Signer } from '@countersign/sdk/sign/signer'
import { verifyImage } from '@countersign/sdk/verify/image'
import type { ImageVerification } from '@countersign/sdk/verify/requests'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from '@countersign/testkit/registry/server'
import { afterEach, describe, expect, it } from 'vitest'

const connection = { environment: {}, deadlineMs: 30_000 }
const nowMs = Date.UTC(2026, 10, 20)
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function start(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const registry = await startTestRegistry(options)
  cleanups.push(() => registry.stop())
  return registry
}

function imageAt(registry: TestRegistry, repository = 'team/app'): ImageReference {
  return { place: { kind: 'registry', registry: registry.host, repository }, tag: 'v1' }
}

async function push(image: ImageReference, content = 'hello'): Promise<Descriptor> {
  const run = createRegistryRun(connection)
  const subject = await pushImage(await run.open(image.place), content, 'v1')
  run.close()
  return subject
}

async function sign(image: ImageReference, signer: Signer, layout: SignatureLayout): Promise<readonly boolean[]> {
  const [signed] = await signImage({ image, signer, layout, recursive: false, upload: true, annotations: {}, connection })
  return signed?.signatures.map((one) => one.alreadyThere) ?? []
}

function verify(image: ImageReference, signers: readonly Signer[]): Promise<ImageVerification> {
  return verifyImage({ image, policy: keyPolicy(signers), nowMs, connection })
}

function newLayout(): string {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-layout-'))
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }))
  mkdirSync(join(directory, 'blobs', 'sha256'), { recursive: true })
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(join(directory, 'index.json'), '{"schemaVersion":2,"manifests":[]}')
  return directory
}

async function storedDocument(image: ImageReference, tag: string): Promise<{ manifests?: unknown[]; layers?: unknown[] }> {
  const run = createRegistryRun(connection)
  const stored = await (await run.open(image.place)).manifest({ tag })
  run.close()
  return JSON.parse(new TextDecoder().decode(stored?.bytes)) as { manifests?: unknown[]; layers?: unknown[] }
}

const registries: [string, TestRegistryOptions][] = [
  ['OCI 1.1', {}],
  ['without referrers and conditions', { referrers: false, conditionalWrites: false }],
  ['without referrers, with conditions', { referrers: false }],
  ['with pages of one', { referrersPageSize: 1, tagPageSize: 1 }],
]

describe.each(registries)('over HTTP, on a registry %s', (_name, options) => {
  it('an image signed and attested in both layouts verifies, and is not signed twice', async () => {
    const image = imageAt(await start(options))
    await push(image)
    const [signer, other] = [testSigner(), testSigner()]
    expect(await sign(image, signer, 'both')).toStrictEqual([false, false])
    expect(await sign(image, other, 'both')).toStrictEqual([false, false])
    expect(await sign(image, signer, 'both')).toStrictEqual([true, true])
    const source = { kind: 'predicate', predicateType: 'https://example.com/p', predicate: utf8('{}') } as const
    await attestImage({ image, signer, source, layout: 'both', recursive: false, upload: true, replace: false, connection })
    const good = await verify(image, [signer])
    expect(good).toMatchObject({ ok: true, unreadable: [] })
    expect([good.accepted.length, good.rejected.length]).toStrictEqual([2, 2])
    const attested = await verifyImage({ image, policy: keyPolicy([signer], { kind: 'attestation' }), nowMs, connection })
    expect(attested.accepted).toHaveLength(2)
  })
})

describe('eight signers at once, over HTTP, on a registry without referrers and without compare-and-swap', () => {
  const signers = Array.from({ length: 8 }, () => testSigner())
  it.each(['bundle', 'legacy'] as const)('leave 8 of 8 in the %s layout, in 20 rounds', { timeout: 60_000 }, async (layout) => {
    const registry = await start({ referrers: false, conditionalWrites: false })
    const play = async (round: number): Promise<void> => {
      const image = imageAt(registry, `team/round${round}`)
      const subject = await push(image, `round ${round}`)
      await Promise.all(signers.map((signer) => sign(image, signer, layout)))
      const document = await storedDocument(image, `sha256-${subject.digest.slice(7)}${layout === 'legacy' ? '.sig' : ''}`)
      expect(document.manifests ?? document.layers).toHaveLength(8)
      expect((await verify(image, signers)).accepted).toHaveLength(8)
    }
    for (let round = 0; round < 20; round += 4) await Promise.all([0, 1, 2, 3].map((more) => play(round + more)))
  })
})

describe('a signer whose registry falls silent', () => {
  it.each([
    ['bundle', { referrers: false, conditionalWrites: false }],
    ['legacy', { referrers: false, conditionalWrites: false }],
    ['bundle', {}],
  ] as const)(
    'after any request, in the %s layout, leaves it valid, and a repeated sign completes',
    { timeout: 120_000 },
    async (layout, options) => {
      const registry = await start(options)
      let request = 0
      for (let alive = false; !alive; request++) {
        // More patient from when it could be done, until a busy machine has done it.
        const impatient = { environment: {}, deadlineMs: 150 + 150 * Math.max(0, request - 12) }
        const image = imageAt(registry, `team/dies${request}`)
        await push(image)
        const [earlier, signer] = [testSigner(), testSigner()]
        await sign(image, earlier, layout)
        registry.dieAfter(request)
        const dying = signImage({ image, signer, layout, recursive: false, upload: true, annotations: {}, connection: impatient })
        alive = await dying.then(
          () => true,
          () => false,
        )
        registry.dieAfter(Infinity)
        expect((await verify(image, [earlier])).accepted).toHaveLength(1)
        await sign(image, signer, layout)
        expect((await verify(image, [earlier, signer])).accepted).toHaveLength(2)
        expect(await sign(image, signer, layout)).toStrictEqual([true])
      }
      expect(request).toBeGreaterThan(12)
    },
  )
})

describe('requests', () => {
  it('each object is fetched once, and what needs no answer of another is asked at the same time', async () => {
    const registry = await start()
    const image = imageAt(registry)
    const subject = await push(image)
    const signers = Array.from({ length: 10 }, () => testSigner())
    for (const signer of signers) await sign(image, signer, 'bundle')
    registry.clearLog()
    const byDigest = await verify({ place: image.place, digest: subject.digest }, signers)
    expect(byDigest.accepted).toHaveLength(10)
    expect(registry.count('GET', /\/blobs\//)).toBe(10)
    expect(registry.count('GET', /\/manifests\/sha256:/)).toBe(10)
    expect(registry.count('GET', /\/referrers\//)).toBe(1)
    expect(registry.count('GET', /\/tags\/list/)).toBe(1)
  })
})

describe('in an image layout folder', () => {
  it('an image is signed, attested and verified without any registry', async () => {
    const directory = newLayout()
    const image: ImageReference = { place: { kind: 'layout', directory }, tag: 'v1' }
    const run = createRegistryRun(connection)
    await pushImage(await run.open(image.place), 'hello', 'v1')
    const signers = [testSigner(), testSigner(), testSigner()]
    for (const signer of signers) expect(await sign(image, signer, 'both')).toStrictEqual([false, false])
    expect(await sign(image, signers[0] as Signer, 'both')).toStrictEqual([true, true])
    const source = { kind: 'predicate', predicateType: 'https://example.com/p', predicate: utf8('{}') } as const
    const attest = { image, signer: signers[0] as Signer, source, layout: 'both', recursive: false, upload: true, replace: false } as const
    await attestImage({ ...attest, connection })
    const result = await verify(image, signers)
    expect(result).toMatchObject({ ok: true, rejected: [], unreadable: [] })
    expect(result.accepted).toHaveLength(6)
    expect((await verify(image, [testSigner()])).failure?.code).toBe('signer_untrusted')
    const signed = result.accepted.map(({ bytes }) => new TextDecoder().decode(bytes)).join('\n')
    expect(signed).not.toContain(directory)
  })

  it('concurrent signers lose nothing', async () => {
    const directory = newLayout()
    const image: ImageReference = { place: { kind: 'layout', directory }, tag: 'v1' }
    const run = createRegistryRun(connection)
    await pushImage(await run.open(image.place), 'hello', 'v1')
    const signers = Array.from({ length: 6 }, () => testSigner())
    await Promise.all(signers.map((signer) => sign(image, signer, 'both')))
    expect((await verify(image, signers)).accepted).toHaveLength(12)
  })
})
