import { utf8 } from '@countersign/core/bytes'
import { startTestRegistry, type TestRegistry } from '@countersign/testkit/registry/server'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRegistryRun, type RegistryRun } from '../../src/open-repository.ts'
import type { Repository } from '../../src/registry/repository.ts'
import { sha256Digest } from '../../src/registry/verified-stream.ts'

let registry: TestRegistry
let run: RegistryRun
let repository: Repository

beforeEach(async () => {
  registry = await startTestRegistry({})
  run = createRegistryRun({ environment: {} }, { retryDelayMs: 1 })
  repository = await run.open({ kind: 'registry', registry: registry.host, repository: 'app' })
})
afterEach(async () => {
  run.close()
  await registry.stop()
})

const uploads = /\/blobs\/uploads\//
const bytes = utf8('a new blob')

async function stored(blob: Uint8Array): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of repository.blob({ digest: sha256Digest(blob), size: blob.length })) parts.push(part)
  return Buffer.concat(parts).toString()
}

describe('a blob that is expected', () => {
  it('finds its upload session open, and the next blob opens its own', async () => {
    repository.expectBlob?.()
    repository.expectBlob?.()
    await expect.poll(() => registry.count('POST', uploads)).toBe(1)
    await repository.putBlob(bytes, { isNew: true })
    expect([registry.count('HEAD'), registry.count('POST', uploads)]).toEqual([0, 1])
    await repository.putBlob(utf8('another'), { isNew: true })
    expect(registry.count('POST', uploads)).toBe(2)
    expect(await stored(bytes)).toBe('a new blob')
  })

  it('is stored also when the session ended before it came', async () => {
    registry.fault({ match: { method: 'PUT', path: uploads }, times: 1, action: { kind: 'status', status: 404 } })
    repository.expectBlob?.()
    await repository.putBlob(bytes, { isNew: true })
    expect(await stored(bytes)).toBe('a new blob')
  })

  it('meets the failure of opening the session, which nobody else hears of', async () => {
    registry.fault({ match: { method: 'POST', path: uploads }, action: { kind: 'status', status: 403 } })
    repository.expectBlob?.()
    await expect.poll(() => registry.count('POST', uploads)).toBe(1)
    await expect(repository.putBlob(bytes, { isNew: true })).rejects.toMatchObject({ code: 'registry_unauthorized' })
  })

  it('and that never comes leaves nothing', async () => {
    repository.expectBlob?.()
    await expect.poll(() => registry.count('POST', uploads)).toBe(1)
    expect(registry.count('PUT')).toBe(0)
  })
})
