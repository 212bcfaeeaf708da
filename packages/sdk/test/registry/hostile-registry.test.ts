import { randomBytes } from 'node:crypto'
import { utf8 } from '@countersign/core/bytes'
import { parseDigest, type Digest } from '@countersign/core/digest'
import type { FailureCode } from '@countersign/core/failure'
import type { Fault, FaultAction } from '@countersign/testkit/registry/fault'
import { startTestRegistry, type TestRegistry } from '@countersign/testkit/registry/server'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRegistryRun, type RegistryRun } from '../../src/open-repository.ts'
import type { Repository } from '../../src/registry/repository.ts'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'

let registry: TestRegistry
let run: RegistryRun
let repository: Repository
let digest: Digest

beforeEach(async () => {
  registry = await startTestRegistry({ tagPageSize: 2 })
  run = createRegistryRun({ environment: {} }, { retryDelayMs: 1 })
  repository = await run.open({ kind: 'registry', registry: registry.host, repository: 'app' })
  digest = seedImage(registry)
})
afterEach(async () => {
  run.close()
  await registry.stop()
})

function seedImage({ content }: TestRegistry, tag = 'v1'): Digest {
  const config = content.putBlob('app', utf8('{}'))
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: config, size: 2 },
    layers: [],
    annotations: { nonce: randomBytes(8).toString('hex') },
  }
  return parseDigest(content.putManifest('app', utf8(JSON.stringify(manifest)), manifestType, tag)) as Digest
}

function seedBlob(size: number): { readonly digest: Digest; readonly size: number } {
  return { digest: parseDigest(registry.content.putBlob('app', randomBytes(size))) as Digest, size }
}

async function drain(blob: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0
  for await (const part of blob) length += part.length
  return length
}

async function codeOf(promise: Promise<unknown>): Promise<FailureCode | 'no failure'> {
  return promise.then(
    () => 'no failure',
    (error: { readonly code: FailureCode }) => error.code,
  )
}

function befall(path: RegExp, action: FaultAction, more: Partial<Fault> = {}): void {
  registry.fault({ match: { path }, action, ...more })
}

describe('a registry that cannot say what refers to an image leaves the question open', () => {
  const cases: readonly [string, FaultAction, FailureCode][] = [
    ['403', { kind: 'status', status: 403 }, 'registry_unauthorized'],
    ['401 without a challenge', { kind: 'status', status: 401 }, 'registry_unauthorized'],
    ['429', { kind: 'status', status: 429 }, 'registry_throttled'],
    ['500', { kind: 'status', status: 500 }, 'registry_failed'],
    ['503', { kind: 'status', status: 503 }, 'registry_failed'],
    ['418', { kind: 'status', status: 418 }, 'registry_response_malformed'],
    ['200 with a login page', { kind: 'garbage' }, 'registry_response_malformed'],
    ['200 with HTML that is called an index', { kind: 'garbage', contentType: indexType }, 'registry_response_malformed'],
    ['something that is not HTTP', { kind: 'not_http' }, 'registry_response_malformed'],
    ['a broken connection', { kind: 'reset' }, 'registry_unreachable'],
    ['half an answer', { kind: 'truncate', afterBytes: 20 }, 'registry_unreachable'],
    ['an answer without end', { kind: 'endless' }, 'limit_exceeded'],
    ['a compressed answer', { kind: 'gzip' }, 'registry_response_malformed'],
    [
      'too deep JSON',
      { kind: 'status', status: 200, headers: { 'content-type': indexType }, body: '['.repeat(100_000) },
      'registry_response_malformed',
    ],
  ]
  it.each(cases)('%s', async (_name, action, code) => {
    await repository.resolve({ tag: 'v1' })
    befall(/\/referrers\//, action)
    expect(await codeOf(repository.referrers(digest))).toBe(code)
  })

  it.each([400, 404, 405, 406, 501])('but %i means that it has no referrers API', async (status) => {
    befall(/\/referrers\//, { kind: 'status', status })
    expect(await repository.referrers(digest)).toMatchObject({ kind: 'unsupported' })
  })

  it('and a bare 404 means that it has no such route at all, unlike an error document, which may be about this repository alone', async () => {
    befall(/\/referrers\//, { kind: 'status', status: 404, body: '404 page not found', headers: { 'content-type': 'text/plain' } })
    expect(await repository.referrers(digest)).toEqual({ kind: 'unsupported', noRoute: true })
    registry.clearFaults()
    befall(/\/referrers\//, { kind: 'status', status: 404, body: '{"errors":[]}', headers: { 'content-type': 'application/json' } })
    expect(await repository.referrers(digest)).toEqual({ kind: 'unsupported' })
  })

  it('and so does a second page that fails', async () => {
    const link = { link: `</v2/app/referrers/${digest}?page=2>; rel="next"` }
    befall(/\?page=2$/, { kind: 'status', status: 404 })
    befall(/referrers\/sha256:[0-9a-f]+$/, { kind: 'headers', headers: link })
    expect(await codeOf(repository.referrers(digest))).toBe('registry_response_malformed')
  })

  it('and so do pages without end', async () => {
    const linkTo = (page: number): FaultAction => ({
      kind: 'headers',
      headers: { link: `</v2/app/referrers/${digest}?page=${page}>; rel="next"` },
    })
    befall(/referrers\/sha256:[0-9a-f]+$/, linkTo(1))
    for (let page = 1; page < 250; page++) befall(new RegExp(`page=${page}$`), linkTo(page + 1))
    expect(await codeOf(repository.referrers(digest))).toBe('limit_exceeded')
  })
})

describe('a link to the next page leads nowhere else', () => {
  it.each(['<http://attacker.test/v2/app/tags/list?last=a>', '<//attacker.test/v2/>', '</elsewhere>', '<http://[>', '<?n=1000>'])(
    '%s',
    async (target) => {
      befall(/\/tags\/list/, { kind: 'headers', headers: { link: `${target}; rel="next"` } })
      expect(await codeOf(drain(repository.tags() as unknown as AsyncIterable<Uint8Array>))).toBe('registry_response_malformed')
    },
  )
})

it('of several links the next one is followed', async () => {
  for (const tag of ['v2', 'v3']) seedImage(registry, tag)
  const link = '</v2/app/tags/list?n=1>; rel="prev", </v2/app/tags/list?n=1000&last=v2>; rel=next'
  registry.fault({ match: { path: /list\?n=1000$/ }, action: { kind: 'headers', headers: { link } } })
  const tags: string[] = []
  for await (const tag of repository.tags()) tags.push(tag)
  expect(tags).toEqual(['v1', 'v2', 'v3'])
})

describe('content that is not what was asked for is refused', () => {
  it('an altered manifest, by digest and by tag', async () => {
    befall(/\/manifests\//, { kind: 'corrupt' })
    expect(await codeOf(repository.manifest({ digest }))).toBe('content_altered')
    expect(await codeOf(repository.manifest({ tag: 'v1' }))).toBe('content_altered')
    expect(await codeOf(repository.resolve({ tag: 'v1' }))).toBe('content_altered')
  })

  it('another manifest under the digest, with a header that says it is the right one', async () => {
    const other = seedImage(registry, 'v2')
    const swapped = registry.content.repository('app').manifests.get(other)
    const headers = { 'content-type': manifestType, 'docker-content-digest': digest }
    befall(/\/manifests\//, { kind: 'status', status: 200, headers, body: swapped?.bytes ?? '' })
    expect(await codeOf(repository.manifest({ digest }))).toBe('content_altered')
  })

  it('a tag whose header names a digest that the registry does not have', async () => {
    const headers = { 'docker-content-digest': `sha256:${'a'.repeat(64)}` }
    befall(/\/manifests\/v1$/, { kind: 'headers', headers })
    expect(await codeOf(repository.resolve({ tag: 'v1' }))).toBe('content_altered')
  })

  it('a manifest that is an image to one reader and an index to another', async () => {
    befall(/\/manifests\//, { kind: 'headers', headers: { 'content-type': indexType } })
    expect(await codeOf(repository.manifest({ digest }))).toBe('registry_response_malformed')
  })

  it.each([1_000, 3_000_000])('an altered blob of %i bytes', async (size) => {
    const blob = seedBlob(size)
    befall(/\/blobs\//, { kind: 'corrupt' })
    expect(await codeOf(drain(repository.blob(blob)))).toBe('content_altered')
  })

  it.each([1_000, 3_000_000])('a blob of %i bytes that does not end, as soon as it is too long', async (size) => {
    const blob = seedBlob(size)
    befall(/\/blobs\//, { kind: 'endless' })
    expect(await codeOf(drain(repository.blob(blob)))).toBe('content_altered')
  })

  it.each([1_000, 3_000_000])('a blob of %i bytes that breaks off', async (size) => {
    const blob = seedBlob(size)
    befall(/\/blobs\//, { kind: 'truncate', afterBytes: size >> 1 })
    expect(await codeOf(drain(repository.blob(blob)))).toBe('registry_unreachable')
  })

  it('a compressed blob, before a byte of it is inflated', async () => {
    befall(/\/blobs\//, { kind: 'gzip' })
    expect(await codeOf(drain(repository.blob(seedBlob(1_000))))).toBe('registry_response_malformed')
  })

  it('a blob that a manifest names and the registry lacks', async () => {
    const missing = { digest: parseDigest(`sha256:${'b'.repeat(64)}`) as Digest, size: 3 }
    expect(await codeOf(drain(repository.blob(missing)))).toBe('registry_response_malformed')
  })

  it('a manifest without end', async () => {
    befall(/\/manifests\//, { kind: 'endless' })
    expect(await codeOf(repository.manifest({ tag: 'v1' }))).toBe('limit_exceeded')
  })

  it('a manifest that is JSON with a name twice', async () => {
    const body = '{"mediaType":"a","mediaType":"b"}'
    befall(/\/manifests\//, { kind: 'status', status: 200, headers: { 'content-type': 'a' }, body })
    expect(await codeOf(repository.manifest({ tag: 'v1' }))).toBe('registry_response_malformed')
  })
})

describe('requests are repeated only where that helps', () => {
  it('a throttled request waits as long as the registry says', async () => {
    befall(/\/manifests\//, { kind: 'status', status: 429, headers: { 'retry-after': '1' } }, { times: 1 })
    const start = performance.now()
    expect((await repository.manifest({ digest }))?.digest).toBe(digest)
    expect(performance.now() - start).toBeGreaterThan(900)
  })

  it('but not beyond the deadline', async () => {
    befall(/\/manifests\//, { kind: 'status', status: 429, headers: { 'retry-after': '3600' } })
    const start = performance.now()
    expect(await codeOf(repository.manifest({ digest }))).toBe('registry_throttled')
    expect(performance.now() - start).toBeLessThan(10_000)
  })

  it.each<FaultAction>([{ kind: 'status', status: 503 }, { kind: 'reset' }])('a read after $kind', async (action) => {
    await repository.resolve({ digest })
    befall(/\/manifests\//, action, { times: 2 })
    expect((await repository.manifest({ digest }))?.digest).toBe(digest)
  })

  it('a read whose answer broke off', async () => {
    const blob = seedBlob(1_000)
    befall(/\/(?:manifests|blobs|referrers)\//, { kind: 'truncate', afterBytes: 10 }, { times: 2 })
    expect((await repository.manifest({ digest }))?.digest).toBe(digest)
    befall(/\/(?:manifests|blobs|referrers)\//, { kind: 'truncate', afterBytes: 10 }, { times: 2 })
    expect(await drain(repository.blob(blob))).toBe(1_000)
    befall(/\/(?:manifests|blobs|referrers)\//, { kind: 'truncate', afterBytes: 10 }, { times: 2 })
    expect((await repository.referrers(digest)).kind).toBe('listed')
  })

  it('a question by HEAD with GET, where a registry knows no HEAD', async () => {
    registry.fault({ match: { method: 'HEAD', path: /manifests/ }, action: { kind: 'status', status: 405 } })
    expect((await repository.resolve({ tag: 'v1' }))?.digest).toBe(digest)
  })

  it('an upload whose connection breaks after it was stored is found and not stored again', async () => {
    await repository.resolve({ digest })
    befall(/\/blobs\/uploads\/.+/, { kind: 'reset_after' }, { times: 1 })
    const bytes = randomBytes(50)
    const stored = await repository.putBlob(bytes)
    expect(registry.content.repository('app').blobs.get(stored)).toEqual(new Uint8Array(bytes))
    expect(registry.count('POST')).toBe(1)
  })

  it('a refusal to write is told with the reason of the registry, not repeated', async () => {
    const body = JSON.stringify({ errors: [{ code: 'DENIED', message: 'tag is\u001b[31m immutable' }] })
    befall(/\/manifests\//, { kind: 'status', status: 409, body })
    const bytes = registry.content.repository('app').manifests.get(digest)?.bytes as Uint8Array
    await expect(repository.putManifest({ tag: 'v1' }, bytes, manifestType)).rejects.toMatchObject({
      code: 'write_rejected',
      message: expect.stringContaining('DENIED: tag is [31m immutable') as string,
    })
    expect(registry.count('PUT')).toBe(1)
  })

  it('a registry that stored something else did not store it', async () => {
    befall(/\/manifests\//, { kind: 'headers', headers: { 'docker-content-digest': `sha256:${'c'.repeat(64)}` } })
    const bytes = registry.content.repository('app').manifests.get(digest)?.bytes as Uint8Array
    expect(await codeOf(repository.putManifest({ tag: 'v1' }, bytes, manifestType))).toBe('write_not_confirmed')
  })
})

describe('each object is fetched once per run', () => {
  it('manifests and small blobs, also when many ask at once', async () => {
    const blob = seedBlob(1_000)
    registry.setLatency(20)
    await Promise.all(Array.from({ length: 10 }, () => Promise.all([repository.manifest({ digest }), drain(repository.blob(blob))])))
    const again = await run.open({ kind: 'registry', registry: registry.host, repository: 'app' })
    await again.resolve({ digest })
    expect([registry.count('GET', /manifests/), registry.count('GET', /blobs/), registry.count('HEAD')]).toEqual([1, 1, 0])
  })

  it('but what is written is read back from the registry', async () => {
    const bytes = (await repository.manifest({ digest }))?.bytes as Uint8Array
    await repository.putManifest({ tag: 'v2' }, bytes, manifestType)
    await repository.manifest({ digest })
    expect(registry.count('GET', /manifests/)).toBe(2)
  })

  it('a tag costs one GET to resolve, then nothing for its manifest', async () => {
    const found = await repository.resolve({ tag: 'v1' })
    await repository.manifest({ digest: found?.digest as Digest })
    expect(registry.log.map(({ method }) => method)).toEqual(['GET'])
  })
})

describe('time and connections are bounded', () => {
  it('a registry that does not answer costs no more than the deadline', async () => {
    const short = createRegistryRun({ environment: {}, deadlineMs: 300 })
    const slow = await short.open({ kind: 'registry', registry: registry.host, repository: 'app' })
    befall(/./, { kind: 'delay', ms: 15_000 })
    const start = performance.now()
    expect(await codeOf(slow.manifest({ digest }))).toBe('deadline_exceeded')
    expect(performance.now() - start).toBeLessThan(12_000)
    short.close()
  })

  it('a connection without a byte counts as dead', async () => {
    const impatient = createRegistryRun({ environment: {} }, { idleMs: 100 })
    const slow = await impatient.open({ kind: 'registry', registry: registry.host, repository: 'app' })
    befall(/manifests/, { kind: 'delay', ms: 5_000 })
    expect(await codeOf(slow.manifest({ digest }))).toBe('registry_unreachable')
    impatient.close()
  })

  it('no more requests run at once than allowed', async () => {
    const narrow = createRegistryRun({ environment: {}, parallelism: 2 })
    const bounded = await narrow.open({ kind: 'registry', registry: registry.host, repository: 'app' })
    await bounded.resolve({ digest })
    registry.setLatency(50)
    const blobs = Array.from({ length: 8 }, () => seedBlob(10))
    const start = performance.now()
    await Promise.all(blobs.map((blob) => drain(bounded.blob(blob))))
    expect(performance.now() - start).toBeGreaterThan(190)
    narrow.close()
  })

  it('a port where nobody listens is unreachable', async () => {
    const nowhere = await run.open({ kind: 'registry', registry: '127.0.0.1:1', repository: 'app' })
    expect(await codeOf(nowhere.manifest({ digest }))).toBe('registry_unreachable')
  })
})
