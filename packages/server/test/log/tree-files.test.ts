import { beforeEach, describe, expect, it } from 'vitest'
import { entryBundles } from '@countersign/core/tiles/entry-bundle'
import type { TileName } from '@countersign/core/tiles/path'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import type { BlobStore } from '../../src/base/blobs/blob-store.ts'
import { treeFiles, type TreeFiles } from '../../src/log/engine/files.ts'
import { housekeeping } from '../../src/log/engine/housekeeping.ts'
import { leavesOf, planBatch, type TreeState } from '../../src/log/engine/plan.ts'
import { sharedBytes } from '../../src/log/engine/shared-bytes.ts'
import { tileMemory } from '../../src/log/engine/tile-memory.ts'
import { entryOf, newLogPlace } from './logs.ts'

const blobs = new Map<string, Uint8Array>()
/** Blobs that are being read now, and the most at once. */
const reading = { now: 0, most: 0 }
const store: Pick<BlobStore, 'get' | 'put' | 'remove'> = {
  get: async (name) => {
    reading.most = Math.max(reading.most, ++reading.now)
    await new Promise((resolve) => setTimeout(resolve, 1))
    reading.now--
    return blobs.get(name)
  },
  put: async (name, bytes) => void blobs.set(name, bytes),
  remove: async (name) => void blobs.delete(name),
}

let files: TreeFiles
beforeEach(() => {
  blobs.clear()
  Object.assign(reading, { now: 0, most: 0 })
  files = treeFiles(serverPrimitives, store as BlobStore, 'log/', entryBundles)
})

/** Writes a tree of so many entries, a batch after the other that end at these sizes. */
async function grow(...sizes: readonly number[]): Promise<TreeState> {
  let state = await files.load(0)
  for (const size of sizes) {
    const { length } = Array.from({ length: size - state.edge.size })
    const leaves = leavesOf(
      serverPrimitives,
      state.edge.size,
      Array.from({ length }, (_, i) => entryOf(`${state.edge.size + i}`)),
    )
    const plan = planBatch(serverPrimitives, entryBundles, state, leaves)
    await files.write(plan.files)
    state = plan.next
  }
  return state
}

const hashes: TileName = { kind: 'hashes', level: 0, index: 0, width: 3 }

describe('the files of a tree', () => {
  it('give a bundle as wide as it was in the tree that is asked about, to all who ask at once', async () => {
    await grow(1, 3)
    const [one, three] = await Promise.all([files.entries(0, 1), files.entries(0, 3)])
    expect([one.length, three.length]).toEqual([1, 3])
  })

  it('are read few at a time, whoever asks for how many', async () => {
    await grow(256 * 12)
    await Promise.all(Array.from({ length: 12 }, (_, index) => files.entries(index, 256 * 12)))
    expect(reading.most).toBe(4)
  })

  it('are damaged where a bundle has another number of entries, or a tile another length', async () => {
    await grow(2, 3)
    blobs.set('log/tile/entries/000.p/3', blobs.get('log/tile/entries/000.p/2') ?? new Uint8Array())
    await expect(files.entries(0, 3)).rejects.toMatchObject({ code: 'log_damaged' })
    blobs.set('log/tile/0/000.p/3', new Uint8Array(95))
    await expect(files.readWhole(hashes)).rejects.toMatchObject({ code: 'log_damaged' })
    blobs.delete('log/tile/0/000.p/3')
    expect(await files.readWhole(hashes)).toBeUndefined()
  })

  it('are read from the disk when a log goes on from them, whatever is in memory: this is how damage is found', async () => {
    await grow(3)
    expect((await files.load(3)).edge.size).toBe(3)
    blobs.set('log/tile/0/000.p/3', new Uint8Array(95))
    await expect(files.load(3)).rejects.toMatchObject({ code: 'log_damaged' })
  })
})

describe('what is kept of a tree in memory', () => {
  const tile = { width: 1 } as Parameters<ReturnType<typeof tileMemory>['add']>[2]

  it('is 512 tiles, those that were used last', () => {
    const memory = tileMemory()
    for (let index = 0; index < 512; index++) memory.add(0, index, tile)
    expect(memory.get(0, 0, 1)).toBe(tile)
    memory.add(0, 512, tile)
    expect([0, 1, 2, 512].map((index) => memory.get(0, index, 1) !== undefined)).toEqual([true, false, true, true])
  })

  it('is no part of a greater buffer, which would be kept with it', async () => {
    const share = sharedBytes(1)
    const read = async (): Promise<Uint8Array> => new Uint8Array(200_000).subarray(0, 100_000)
    const [one, two] = [await share('a', read), await share('a', read)]
    expect(one?.buffer).not.toBe(two?.buffer)
    expect(two).toHaveLength(100_000)
  })
})

describe('what follows a publication', () => {
  it('is the checkpoint as a file, and no partial tile of a full one but the last, which recovery may need', async () => {
    const place = await newLogPlace()
    const ends = [1, 100, 300, 500, 600, 800, 66_300]
    const rows = ends.map((end, i) => [1, ends[i - 1] ?? 0, end - (ends[i - 1] ?? 0), 0] as const)
    await place.database.raw.insert('log_batches', ['tree', 'first', 'count', 'integrated_at'], rows)
    const removed: string[] = []
    const failures: unknown[] = []
    const keeper = housekeeping({
      blobs: store as BlobStore,
      database: place.database,
      files: { ...files, remove: async (paths) => void removed.push(...paths) },
      folder: 'log/',
      format: entryBundles,
      tree: 1,
      failed: (failure) => failures.push(failure),
    })
    const publish = async (size: number): Promise<readonly string[]> => {
      removed.splice(0)
      keeper.published({ size, rootHash: new Uint8Array(32), note: `tree of ${size}`, signedAt: 0 })
      await keeper.close()
      return [...removed]
    }
    expect(await publish(1)).toEqual([])
    expect(await publish(800)).toEqual(
      ['000.p/1', '000.p/100', '001.p/44', '001.p/244'].flatMap((path) => [`tile/entries/${path}`, `tile/0/${path}`]),
    )
    expect(Buffer.from(blobs.get('log/checkpoint') ?? []).toString()).toBe('tree of 800')
    const above = await publish(66_300)
    expect(above.filter((path) => path.startsWith('tile/0/'))).toEqual(['tile/0/002.p/88', 'tile/0/003.p/32'])
    expect(above.filter((path) => path.startsWith('tile/1/'))).toEqual(Array.from({ length: 255 }, (_, i) => `tile/1/000.p/${i + 1}`))
    expect(failures).toEqual([])
    await place.remove()
  })
})
