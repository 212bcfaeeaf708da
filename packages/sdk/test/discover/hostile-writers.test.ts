import { utf8 } from '@countersign/core/bytes'
import type { Descriptor } from '@countersign/core/oci/model'
import { discoverSignatures } from '@countersign/sdk/discover/discover'
import type { Repository } from '@countersign/sdk/registry/repository'
import { signImageIn } from '@countersign/sdk/sign/image'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import type { ImageVerification } from '@countersign/sdk/verify/requests'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository, sha256Digest } from '@countersign/testkit/memory-repository'
import { startTestRegistry } from '@countersign/testkit/registry/server'
import { describe, expect, it } from 'vitest'
import { createRegistryRun } from '../../src/open-repository.ts'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json'
const image = { place: { kind: 'registry', registry: 'memory.example', repository: 'repo' }, tag: 'v1' } as const
const nowMs = Date.UTC(2026, 10, 20)
const signer = testSigner()

async function sign(repository: Repository, layout: 'bundle' | 'legacy' = 'bundle'): Promise<Descriptor['digest']> {
  const request = { image, signer, layout, recursive: false, upload: true, annotations: {} } as const
  const [signed] = await signImageIn({ images: repository, signatures: repository }, request, { nowMs })
  return signed?.signatures[0]?.manifest as Descriptor['digest']
}

function verify(repository: Repository): Promise<ImageVerification> {
  return verifyImageIn({ images: repository, signatures: repository }, { image, policy: keyPolicy([signer]), nowMs })
}

type Layer = { readonly mediaType: string; readonly digest: string; readonly size: number; readonly annotations?: Record<string, string> }

/** A referrer as anybody may push it who may push to the repository. */
async function pushReferrer(repository: Repository, subject: Descriptor, layers: readonly Layer[]): Promise<void> {
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType: bundleType,
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: sha256Digest(utf8('{}')), size: 2 },
    layers,
    subject,
  }
  const bytes = utf8(JSON.stringify(manifest))
  await repository.putManifest({ digest: sha256Digest(bytes) }, bytes, manifestType)
}

/** The same repository, whose list of referrers begins with those that were pushed last. */
function latestFirst(repository: Repository): Repository {
  return {
    ...repository,
    referrers: async (subject) => {
      const answer = await repository.referrers(subject)
      return answer.kind === 'listed' ? { kind: 'listed', manifests: answer.manifests.toReversed() } : answer
    },
  }
}

async function bundleOf(repository: Repository, subject: Descriptor): Promise<Layer> {
  const { found } = await discoverSignatures(repository, subject)
  return { mediaType: bundleType, digest: found[0]?.origin.blob ?? '', size: found[0]?.bytes.length ?? 0 }
}

describe("attack: a referrer that names the blob of somebody else's signature does not hide that signature", () => {
  it.each([
    ['with a smaller size', { size: 1 }],
    ['with a size beyond the bound of bundles', { size: 2 ** 40 }],
    ['as an envelope', { mediaType: 'application/vnd.dsse.envelope.v1+json' }],
    ['as a simple-signing payload', { mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json' }],
    ['as a bundle of another version', { mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1' }],
  ])('%s', async (_name, lie) => {
    const repository = memoryRepository()
    const subject = await pushImage(repository, 'hello', 'v1')
    await sign(repository)
    await pushReferrer(repository, subject, [{ ...(await bundleOf(repository, subject)), ...lie }])
    for (const order of [repository, latestFirst(repository)]) {
      expect(await verify(order)).toMatchObject({ ok: true, accepted: [{ evidence: { signer: { kind: 'key' } } }] })
    }
  })

  it('with another size, in a registry', async () => {
    const registry = await startTestRegistry({})
    const run = createRegistryRun({ environment: {} }, { retryDelayMs: 1 })
    try {
      const repository = await run.open({ kind: 'registry', registry: registry.host, repository: 'app' })
      const subject = await pushImage(repository, 'hello', 'v1')
      await sign(repository)
      const bundle = await bundleOf(repository, subject)
      for (let size = 1; size < 8; size++) await pushReferrer(repository, subject, [{ ...bundle, size }])
      for (const order of [(one: Repository): Repository => one, latestFirst]) {
        const fresh = createRegistryRun({ environment: {} }, { retryDelayMs: 1 })
        expect(await verify(order(await fresh.open({ kind: 'registry', registry: registry.host, repository: 'app' })))).toMatchObject({
          ok: true,
        })
        fresh.close()
      }
    } finally {
      run.close()
      await registry.stop()
    }
  })
})

describe("attack: a spoilt copy of a signature under the shared tag does not make its writer's own tag look read", () => {
  it.each([
    ['with a foreign certificate', { 'dev.sigstore.cosign/certificate': 'no certificate' }],
    ['with a log entry that is none', { 'dev.sigstore.cosign/bundle': '{}' }],
  ])('%s', async (_name, annotations) => {
    const repository = memoryRepository({ referrersApi: false })
    const subject = await pushImage(repository, 'hello', 'v1')
    await sign(repository, 'legacy')
    const tag = `sha256-${subject.digest.slice(7)}.sig`
    const stored = await repository.manifest({ tag })
    const manifest = JSON.parse(new TextDecoder().decode(stored?.bytes)) as { layers: { annotations: Record<string, string> }[] }
    const layers = manifest.layers.map((layer) => ({ ...layer, annotations: { ...layer.annotations, ...annotations } }))
    await repository.putManifest({ tag }, utf8(JSON.stringify({ ...manifest, layers })), manifestType)
    expect(await verify(repository)).toMatchObject({ ok: true, accepted: [{ origin: { layouts: ['legacy-writer-tag'] } }] })
  })
})

describe('attack: a few referrers do not use up what may be read, so that a signature is not looked at', () => {
  it('by claiming great sizes', async () => {
    const repository = memoryRepository()
    const subject = await pushImage(repository, 'hello', 'v1')
    await sign(repository)
    for (let n = 0; n < 6; n++) {
      const digest = await repository.putBlob(utf8(`blob ${n}`))
      await pushReferrer(repository, subject, [{ mediaType: bundleType, digest, size: 128 * 1024 * 1024 - n }])
    }
    expect(await verify(latestFirst(repository))).toMatchObject({ ok: true })
  })

  it('by great bundles', async () => {
    const repository = memoryRepository()
    const subject = await pushImage(repository, 'hello', 'v1')
    await sign(repository)
    for (let n = 0; n < 12; n++) {
      const bytes = utf8(' '.repeat(2 * 1024 * 1024 + n))
      const digest = await repository.putBlob(bytes)
      await pushReferrer(repository, subject, [{ mediaType: bundleType, digest, size: bytes.length }])
    }
    const limits = { maxTotalBytes: 8 * 1024 * 1024 }
    const result = await verifyImageIn(
      { images: repository, signatures: latestFirst(repository) },
      { image, policy: keyPolicy([signer]), nowMs },
      limits,
    )
    expect(result).toMatchObject({ ok: true })
    expect(result.unreadable.map(({ code }) => code)).toContain('limit_exceeded')
  })

  it('by one manifest of very many layers', async () => {
    const repository = memoryRepository()
    const subject = await pushImage(repository, 'hello', 'v1')
    await sign(repository)
    const digest = await repository.putBlob(utf8('{}'))
    const layers = Array.from({ length: 6_000 }, (_, n) => ({ mediaType: bundleType, digest, size: 2, annotations: { n: String(n) } }))
    for (const count of [6_000, 4_990]) await pushReferrer(repository, subject, layers.slice(0, count))
    const result = await verify(latestFirst(repository))
    expect(result).toMatchObject({ ok: true })
    expect(result.unreadable.map(({ code }) => code)).toContain('limit_exceeded')
  })

  it('by more referrers than are read: what was read counts, the rest is "could not tell"', async () => {
    const repository = memoryRepository()
    const subject = await pushImage(repository, 'hello', 'v1')
    await sign(repository)
    const digest = await repository.putBlob(utf8('blob'))
    for (let n = 0; n < 5; n++) await pushReferrer(repository, subject, [{ mediaType: bundleType, digest, size: n }])
    const { found, unreadable } = await discoverSignatures(repository, subject, { maxReferrers: 3 })
    expect(found.filter(({ parsed }) => parsed.ok)).toHaveLength(1)
    expect(unreadable.map(({ code }) => code)).toStrictEqual(['limit_exceeded'])
  })

  it('by more writer tags than are read', async () => {
    const repository = memoryRepository({ referrersApi: false })
    const subject = await pushImage(repository, 'hello', 'v1')
    await sign(repository)
    const fallback = `sha256-${subject.digest.slice(7)}`
    repository.tagged.delete(fallback)
    const own = [...repository.tagged.keys()].filter((tag) => tag.endsWith('.w'))
    const others = Array.from({ length: 5 }, (_, n) => `${fallback}.${String(n).repeat(32)}.w`)
    for (const tag of others) repository.tagged.set(tag, subject.digest)
    const listing = {
      ...repository,
      tags: async function* () {
        yield* [...own, ...others]
      },
    }
    const { found, unreadable } = await discoverSignatures(listing, subject, { maxReferrers: 3 })
    expect(found.filter(({ parsed }) => parsed.ok)).toHaveLength(1)
    expect(unreadable.map(({ code }) => code)).toStrictEqual(['limit_exceeded'])
  })
})
