import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Descriptor } from '@countersign/core/oci/model'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import type { Connection } from '@countersign/sdk/connection'
import { signImageIn } from '@countersign/sdk/sign/image'
import { openImageRepositories } from '@countersign/sdk/sign/repositories'
import type { Signer } from '@countersign/sdk/sign/signer'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import type { ImageVerification } from '@countersign/sdk/verify/requests'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from '@countersign/testkit/registry/server'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const nowMs = Date.UTC(2026, 10, 20)
const repository = 'app'
let registry: TestRegistry
let folder: string
let signer: Signer

async function start(options: TestRegistryOptions = {}): Promise<void> {
  registry = await startTestRegistry(options)
}

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'countersign-cache-')), 'objects')
  signer = testSigner()
})
afterEach(async () => {
  await registry.stop()
  rmSync(join(folder, '..'), { recursive: true, force: true })
})

function connection(more: Partial<Connection> = {}): Connection {
  return { environment: {}, cache: { folder }, listingAgeMs: 30_000, ...more }
}

async function signed(content: string, tag: string): Promise<Descriptor> {
  const { cache: _cache, listingAgeMs: _age, ...writing } = connection(credentials)
  const run = createRegistryRun(writing)
  const place = { kind: 'registry', registry: registry.host, repository } as const
  const repositories = await openImageRepositories(run, { image: { place, tag } })
  const image = await pushImage(repositories.images, content, tag)
  const request = { image: { place, tag }, recursive: false, upload: true, annotations: {}, layout: 'bundle', signer } as const
  await signImageIn(repositories, request, { nowMs })
  run.close()
  return image
}

let credentials: Partial<Connection> = {}
beforeEach(() => (credentials = {}))

type Wanted = { readonly tag: string } | Pick<Descriptor, 'digest'>

/** One run over images; gives the outcomes and how many requests they cost. */
async function verify(
  images: readonly Wanted[],
  more: Partial<Connection> = {},
): Promise<{ results: ImageVerification[]; requests: number }> {
  registry.clearLog()
  const run = createRegistryRun(connection({ ...credentials, ...more }), { retryDelayMs: 1 })
  const results: ImageVerification[] = []
  for (const wanted of images) {
    const place = { kind: 'registry', registry: registry.host, repository } as const
    const image = 'tag' in wanted ? { place, tag: wanted.tag } : { place, digest: wanted.digest }
    const repositories = await openImageRepositories(run, { image })
    results.push(await verifyImageIn(repositories, { image, policy: keyPolicy([signer]), nowMs }))
  }
  run.close()
  return { results, requests: registry.log.length }
}

function codes({ results }: { readonly results: readonly ImageVerification[] }): (string | true | undefined)[] {
  return results.map(({ ok, failure }) => (ok ? true : failure?.code))
}

describe.each([
  ['with the referrers API', {}],
  ['without it', { referrers: false }],
])('a run over many images of a registry %s', (_name, options) => {
  beforeEach(() => start(options))

  it('lists the tags of a repository once, and asks for no tag that is not there', async () => {
    const images = [await signed('a', 'a'), await signed('b', 'b'), await signed('c', 'c')]
    const outcome = await verify(images, { cache: { folder: join(folder, 'other') } })
    expect(codes(outcome)).toEqual([true, true, true])
    expect(registry.count('GET', /tags\/list/)).toBe(1)
    expect(registry.count('GET', /\.(?:sig|att)$/)).toBe(0)
  })

  it('a second run within the age asks for nothing by digest, and for the tags that were named alone', async () => {
    const image = await signed('a', 'a')
    expect(codes(await verify([image, { tag: 'a' }]))).toEqual([true, true])
    const again = await verify([image])
    expect([codes(again), again.requests]).toEqual([[true], 0])
    const byTag = await verify([{ tag: 'a' }])
    expect([codes(byTag), byTag.requests]).toEqual([[true], 1])
  })

  it('and without an age asks for every listing, and fetches no bytes again', async () => {
    const image = await signed('a', 'a')
    await verify([image])
    const outcome = await verify([image], { listingAgeMs: 0 })
    expect(codes(outcome)).toEqual([true])
    expect(registry.count('GET', /blobs\//)).toBe(0)
    expect(registry.count('GET', /manifests\/sha256:/)).toBe(0)
    expect(outcome.requests).toBeGreaterThan(3)
  })

  it('a signature that is written after its image was refused is found at once: no refusal is made from memory', async () => {
    const run = createRegistryRun(connection())
    const { images } = await openImageRepositories(run, { image: { place: { kind: 'registry', registry: registry.host, repository } } })
    const image = await pushImage(images, 'a', 'a')
    run.close()
    expect(codes(await verify([image]))).toEqual(['no_signature'])
    await signed('a', 'a')
    expect(codes(await verify([image]))).toEqual([true])
  })

  it('a tag that has moved is followed at once', async () => {
    await signed('a', 'v1')
    expect(codes(await verify([{ tag: 'v1' }]))).toEqual([true])
    const moved = await signed('b', 'v1')
    const { results } = await verify([{ tag: 'v1' }])
    expect(results.map(({ ok, digest }) => [ok, digest])).toEqual([[true, moved.digest]])
  })

  it('attack: a poisoned cache makes nobody a signer, and a poisoned listing refuses nobody', async () => {
    const image = await signed('a', 'a')
    await verify([image])
    const foreign = testSigner()
    for (const name of readdirSync(folder)) {
      const path = join(folder, name)
      const text = readFileSync(path, 'latin1')
      // Same length each time, so that the pack still parses: other bytes under the digest, other answers in the listing.
      writeFileSync(
        path,
        text.replaceAll('"payload"', '"payloae"').replaceAll('"listed"', '"absent"').replaceAll('"found"', '"founc"'),
        'latin1',
      )
    }
    const outcome = await verify([image])
    expect(codes(outcome)).toEqual([true])
    expect(outcome.requests).toBeGreaterThan(0)
    const other = { ...keyPolicy([foreign]) }
    const run = createRegistryRun(connection())
    const place = { kind: 'registry', registry: registry.host, repository } as const
    const refused = await verifyImageIn(await openImageRepositories(run, { image: { place } }), {
      image: { place, digest: image.digest },
      policy: other,
      nowMs,
    })
    run.close()
    expect(refused.failure?.code).toBe('signer_untrusted')
  })

  it('attack: the signature of one image, kept under the digest of the signature of another, is not used', async () => {
    const a = await signed('a', 'a')
    const b = await signed('b', 'b')
    await verify([a, b])
    for (const name of readdirSync(folder).filter((one) => one.startsWith('v1-'))) {
      const path = join(folder, name)
      const text = readFileSync(path, 'latin1')
      const names = [...text.matchAll(/blob-sha256-[0-9a-f]{64}/g)].map(([found]) => found)
      const [first = '', second = ''] = names
      writeFileSync(
        path,
        text.replace(first, 'x'.repeat(first.length)).replace(second, first).replace('x'.repeat(first.length), second),
        'latin1',
      )
    }
    expect(codes(await verify([a, b], { listingAgeMs: 0 }))).toEqual([true, true])
    expect(registry.count('GET', /blobs\//)).toBe(2)
  })
})

describe('what was answered to a credential', () => {
  const auth = { kind: 'bearer', username: 'alice', password: 'secret' } as const

  it('attack: is not told to anybody else, nor to nobody, while it is young', async () => {
    await start({ auth })
    credentials = { username: 'alice', password: 'secret' }
    const image = await signed('a', 'a')
    expect(codes(await verify([image]))).toEqual([true])
    const alice = await verify([image])
    expect([codes(alice), alice.requests]).toEqual([[true], 0])
    credentials = {}
    expect(codes(await verify([image]))).toEqual(['registry_unauthorized'])
    credentials = { username: 'mallory', password: 'guess' }
    expect(codes(await verify([image]))).toEqual(['registry_unauthorized'])
    // What was read from memory alone stays hers when it is written again.
    credentials = { username: 'alice', password: 'secret' }
    await signed('b', 'b')
    await verify([image, { tag: 'b' }])
    credentials = {}
    expect(codes(await verify([image]))).toEqual(['registry_unauthorized'])
  })

  it('the cache holds neither password nor anything made from it', async () => {
    await start({ auth })
    credentials = { username: 'alice', password: 'secret' }
    const image = await signed('a', 'a')
    await verify([image])
    for (const name of readdirSync(folder)) expect(readFileSync(join(folder, name), 'latin1')).not.toMatch(/alice|secret|Bearer/)
  })
})
