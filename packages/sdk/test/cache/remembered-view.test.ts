import type { Digest } from '@countersign/core/digest'
import { legacyTag } from '@countersign/core/oci/layouts'
import { createListings } from '@countersign/sdk/cache/listings'
import { rememberedView, type Memory } from '@countersign/sdk/cache/remembering'
import { discoverSignatures } from '@countersign/sdk/discover/discover'
import { memoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const digest = `sha256:${'a'.repeat(64)}` as Digest

function memory(): Memory {
  const listings = createListings(() => 0)
  return {
    listings: () => Promise.resolve(listings),
    maxAgeMs: 30_000,
    nowMs: () => 0,
    asking: new Map(),
    referrersRoute: { missing: 0, there: false },
  }
}

/** A repository with so many tags that the signature's own lies beyond the bound. */
async function* manyTags(): AsyncIterable<string> {
  for (let at = 0; at < 100_001; at++) yield `v${at}`
  yield legacyTag(digest, 'sig')
}

describe('a list of tags that goes on beyond its bound', () => {
  it('is "could not tell" for what it does not name, and says that it assumed: who refuses asks again', async () => {
    const view = rememberedView({ ...memoryRepository(), tags: manyTags }, memory())
    const { found, unreadable } = await discoverSignatures(view.repository, { digest })
    expect(found).toEqual([])
    expect(unreadable.map(({ code }) => code)).toContain('limit_exceeded')
    expect(view.assumed()).toBe(true)
  })
})
