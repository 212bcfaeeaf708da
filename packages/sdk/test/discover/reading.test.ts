import { type Digest, parseDigest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import { defaultDiscoveryLimits, type DiscoveryLimits } from '@countersign/sdk/discover/limits'
import { type Reading, startReading } from '@countersign/sdk/discover/reading'
import type { RepositoryReader } from '@countersign/sdk/registry/repository'
import { memoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const mebibyte = 1024 * 1024
const digests = Array.from({ length: 9 }, (_, n) => parseDigest(`sha256:${String(n).repeat(64)}`) as Digest)
const digest = digests[0] as Digest

/** Blobs of any descriptor: as many zeros as it says, unless `fail` throws. */
function reading(limits: Partial<DiscoveryLimits>, fail: (asked: Pick<Descriptor, 'digest' | 'size'>) => void = () => undefined): Reading {
  const repository: RepositoryReader = {
    ...memoryRepository(),
    blob: async function* (descriptor) {
      await Promise.resolve()
      fail(descriptor)
      yield new Uint8Array(descriptor.size)
    },
  }
  return startReading(repository, { ...defaultDiscoveryLimits, ...limits })
}

describe('the bound of all bytes', () => {
  const limits = { maxTotalBytes: 8 * mebibyte }
  const readAll = async (sizes: readonly number[]): Promise<readonly boolean[]> => {
    const { blob } = reading(limits)
    const read: boolean[] = []
    for (const [n, size] of sizes.entries()) {
      read.push(
        await blob({ digest: digests[n] as Digest, size }).then(
          () => true,
          () => false,
        ),
      )
    }
    return read
  }

  it('is for small objects as a whole', async () => {
    expect(await readAll(Array.from({ length: 9 }, () => mebibyte))).toStrictEqual([...Array.from({ length: 8 }, () => true), false])
  })

  it('is for great objects by half', async () => {
    expect(await readAll([2 * mebibyte, 2 * mebibyte, 2 * mebibyte, mebibyte])).toStrictEqual([true, true, false, true])
    expect(await readAll([...Array.from({ length: 7 }, () => mebibyte), 2 * mebibyte, mebibyte])).toStrictEqual([
      ...Array.from({ length: 7 }, () => true),
      false,
      true,
    ])
  })
})

describe('the bound of signatures', () => {
  const countAll = (counts: readonly number[]): readonly (string | undefined)[] => {
    const { countLayers } = reading({ maxLayers: 100 })
    return counts.map((count) => countLayers(count)?.code)
  }

  it('is for manifests of few as a whole', () => {
    expect(countAll([...Array.from({ length: 10 }, () => 10), 1])).toStrictEqual([
      ...Array.from({ length: 10 }, () => undefined),
      'limit_exceeded',
    ])
  })

  it('is for manifests of many by half', () => {
    expect(countAll([30, 30, 20, 10, 10])).toStrictEqual([undefined, 'limit_exceeded', undefined, undefined, undefined])
  })
})

describe('a blob', () => {
  it('that is said to be too long is not asked for', async () => {
    const { blob } = reading({ maxBundleBytes: 10 }, () => {
      throw new CountersignError('internal', 'it was asked for')
    })
    await expect(blob({ digest, size: 11 })).rejects.toMatchObject({ code: 'limit_exceeded' })
  })

  it('that is longer than allowed, whatever was said, is given up', async () => {
    const repository = {
      ...memoryRepository(),
      blob: async function* () {
        yield* [new Uint8Array(6), new Uint8Array(6)]
      },
    }
    const { blob } = startReading(repository, { ...defaultDiscoveryLimits, maxBundleBytes: 10 })
    await expect(blob({ digest, size: 5 })).rejects.toMatchObject({ code: 'limit_exceeded' })
  })

  it('is read once, also when many ask at the same time, and again after a failure', async () => {
    let asked = 0
    const { blob } = reading({}, () => {
      if (++asked === 1) throw new CountersignError('registry_failed', 'just now')
    })
    await expect(Promise.all([blob({ digest, size: 1 }), blob({ digest, size: 1 })])).rejects.toMatchObject({ code: 'registry_failed' })
    expect(asked).toBe(1)
    await Promise.all([blob({ digest, size: 1 }), blob({ digest, size: 1 })])
    expect(asked).toBe(2)
  })

  it('attack: under a descriptor that lies about its size does not fail for the one that does not', async () => {
    const { blob } = reading({}, ({ size }) => {
      if (size !== 3) throw new CountersignError('content_altered', 'another size')
    })
    const [lie, truth] = await Promise.allSettled([blob({ digest, size: 2 }), blob({ digest, size: 3 })])
    expect([lie.status, truth.status]).toStrictEqual(['rejected', 'fulfilled'])
  })
})
