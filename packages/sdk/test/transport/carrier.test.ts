import { createHash, randomBytes } from 'node:crypto'
import { type Digest, parseDigest } from '@countersign/core/digest'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import type { Carrier, Repository } from '@countersign/sdk/registry/repository'
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from '@countersign/testkit/registry/server'
import { afterEach, describe, expect, it } from 'vitest'

const mebibyte = 1024 * 1024
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function opened(
  options: TestRegistryOptions = {},
  repository = 'app',
): Promise<{ readonly registry: TestRegistry; readonly repository: Repository; readonly carrier: Carrier; readonly from: string }> {
  const registry = await startTestRegistry(options)
  const connection = { environment: {}, ...(options.auth === undefined ? {} : { username: 'u', password: 'p' }) }
  const run = createRegistryRun(connection, { retryDelayMs: 1, retries: 1 })
  closing.push(async () => {
    run.close()
    await registry.stop()
  })
  const found = await run.open({ kind: 'registry', registry: registry.host, repository })
  return { registry, repository: found, carrier: found.carrier as Carrier, from: `${registry.host}/other` }
}

function blobOf(bytes: Uint8Array): { readonly digest: Digest; readonly size: number } {
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  return { digest: digest as Digest, size: bytes.length }
}

/** The end of a source may be long in coming; what was sent until then has arrived. */
async function* inParts(bytes: Uint8Array, endsAfterMs = 0): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024)
  if (endsAfterMs > 0) await new Promise((resolve) => setTimeout(resolve, endsAfterMs))
}

describe('a blob that is streamed to a registry', () => {
  it.each([0, 1, 3 * mebibyte])('of %i bytes arrives whole', async (size) => {
    const { registry, carrier } = await opened()
    const bytes = randomBytes(size)
    expect(await carrier.hasBlob(blobOf(bytes))).toBe(false)
    await carrier.putStream(blobOf(bytes), () => inParts(bytes))
    expect(await carrier.hasBlob(blobOf(bytes))).toBe(true)
    expect(registry.content.repository('app').blobs.size).toBe(1)
  })

  it.each([
    ['another content', (bytes: Uint8Array) => Buffer.concat([bytes.subarray(1), bytes.subarray(0, 1)])],
    ['less', (bytes: Uint8Array) => bytes.subarray(1)],
    ['more', (bytes: Uint8Array) => Buffer.concat([bytes, bytes])],
  ])('attack: a source that sends %s than it named is content_altered, and no request is completed', async (_what, spoil) => {
    const { registry, carrier } = await opened()
    const bytes = randomBytes(mebibyte)
    const spoilt = spoil(bytes)
    await expect(carrier.putStream(blobOf(bytes), () => inParts(spoilt, 200))).rejects.toMatchObject({ code: 'content_altered' })
    expect(registry.log.filter(({ method, status }) => method === 'PUT' && status !== 0)).toStrictEqual([])
    expect(registry.content.repository('app').blobs.size).toBe(0)
  })

  it('is sent again from its first byte when the connection breaks, and not when it has arrived', async () => {
    for (const kind of ['reset', 'reset_after'] as const) {
      const { registry, carrier } = await opened()
      const bytes = randomBytes(mebibyte)
      registry.fault({ match: { method: 'PUT', path: /uploads/ }, times: 1, action: { kind } })
      let opens = 0
      await carrier.putStream(blobOf(bytes), () => {
        opens++
        return inParts(bytes)
      })
      expect(opens).toBe(kind === 'reset' ? 2 : 1)
      expect(registry.content.repository('app').blobs.size).toBe(1)
    }
  })

  it('fails with the failure of its source', async () => {
    const { carrier } = await opened()
    const bytes = randomBytes(mebibyte)
    async function* broken(): AsyncIterable<Uint8Array> {
      yield bytes.subarray(0, 1000)
      throw new TypeError('the source broke')
    }
    await expect(carrier.putStream(blobOf(bytes), broken)).rejects.toMatchObject({ code: 'registry_unreachable' })
  })

  it('arrives in a registry that asks for tokens, also for one that ended on the way', async () => {
    const { registry, carrier } = await opened({ auth: { kind: 'bearer', username: 'u', password: 'p' } })
    const bytes = randomBytes(mebibyte)
    await carrier.putStream(blobOf(bytes), () => inParts(bytes))
    expect(await carrier.hasBlob(blobOf(bytes))).toBe(true)
    const other = randomBytes(mebibyte)
    const challenge = { 'www-authenticate': `Bearer realm="${registry.url}/token",service="test",scope="repository:app:pull,push"` }
    registry.fault({ match: { method: 'PUT', path: /uploads/ }, times: 1, action: { kind: 'status', status: 401, headers: challenge } })
    await carrier.putStream(blobOf(other), () => inParts(other))
    expect(await carrier.hasBlob(blobOf(other))).toBe(true)
  })

  it('that the account may not upload is registry_unauthorized', async () => {
    const { registry, carrier } = await opened()
    const bytes = randomBytes(1000)
    registry.fault({ match: { method: 'PUT', path: /uploads/ }, action: { kind: 'status', status: 403 } })
    await expect(carrier.putStream(blobOf(bytes), () => inParts(bytes))).rejects.toMatchObject({ code: 'registry_unauthorized' })
  })

  it('never lies whole in memory', { timeout: 60_000 }, async () => {
    const { carrier } = await opened()
    const size = 96 * mebibyte
    const part = new Uint8Array(mebibyte)
    const hash = createHash('sha256')
    for (let at = 0; at < size; at += part.length) hash.update(part)
    const digest = parseDigest(`sha256:${hash.digest('hex')}`) as Digest
    let held = 0
    let most = 0
    const parts = async function* (): AsyncIterable<Uint8Array> {
      for (let at = 0; at < size; at += part.length) {
        held++
        yield new Uint8Array(part)
        most = Math.max(most, held)
        held = 0
      }
    }
    await carrier.putStream({ digest, size }, parts)
    expect(most).toBe(1)
  })
})

describe('a blob of another repository of the same registry', () => {
  it('is mounted, and no byte travels', async () => {
    const { registry, carrier, from } = await opened()
    const bytes = randomBytes(1000)
    registry.content.putBlob('other', bytes)
    expect(await carrier.mount?.(blobOf(bytes), from)).toBe(true)
    expect(await carrier.hasBlob(blobOf(bytes))).toBe(true)
    expect(registry.count('PUT')).toBe(0)
  })

  it('that cannot be mounted is to be uploaded: not there, refused, another registry, a layout', async () => {
    const { registry, carrier, from } = await opened()
    const wanted = blobOf(randomBytes(1000))
    expect(await carrier.mount?.(wanted, from)).toBe(false)
    registry.fault({ match: { method: 'POST', path: /mount=/ }, times: 1, action: { kind: 'status', status: 403 } })
    expect(await carrier.mount?.(wanted, from)).toBe(false)
    expect(await carrier.mount?.(wanted, 'elsewhere.example/other')).toBe(false)
    expect(await carrier.mount?.(wanted, 'oci:folder')).toBe(false)
  })
})
