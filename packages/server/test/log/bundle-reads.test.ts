import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BlobStore } from '../../src/base/blobs/blob-store.ts'
import { createTreeLog, openTreeLog, type OpenTreeLog } from '../../src/log/engine/open-log.ts'
import { sharedBytes } from '../../src/log/engine/shared-bytes.ts'
import { searchIndex } from '../../src/log/search/index-logs.ts'
import { entryOf, newLogPlace, type LogPlace } from './logs.ts'

const key = `sha256:${'ab'.repeat(32)}`
const entries = 600
let place: LogPlace
let log: OpenTreeLog
/** Bundles that are being read now, the most at once, and all. */
const reads = { now: 0, most: 0, all: 0 }

beforeAll(async () => {
  place = await newLogPlace()
  const blobs: BlobStore = {
    ...place.blobs,
    get: async (name) => {
      if (!name.includes('/tile/entries/')) return place.blobs.get(name)
      reads.all++
      reads.most = Math.max(reads.most, ++reads.now)
      await new Promise((resolve) => setTimeout(resolve, 30))
      reads.now--
      return place.blobs.get(name)
    },
  }
  const options = place.options({ blobs })
  await createTreeLog(options)
  log = await openTreeLog(options)
  await Promise.all(
    Array.from({ length: entries }, (_, i) =>
      log.add(entryOf(JSON.stringify({ number: i, spec: { data: { hash: { algorithm: 'sha256', value: 'ab'.repeat(32) } } } }))),
    ),
  )
})

afterAll(async () => {
  await log.close()
  await place.remove()
})

function resetReads(): void {
  Object.assign(reads, { now: 0, most: 0, all: 0 })
}

describe('attack: requests of a few bytes that each need bundles of up to 16 MiB', () => {
  it('a search that hundreds of great entries answer reads each bundle once, one after the other', async () => {
    const index = searchIndex(
      place.database,
      () => [{ name: 'test-1', log }],
      async () => async () => false,
    )
    await index.catchUp()
    resetReads()
    const found = await index.find([key], 'or')
    expect(found.map(({ index: at }) => at)).toEqual(Array.from({ length: entries }, (_, i) => i))
    expect(reads).toMatchObject({ all: Math.ceil(entries / 256), most: 1 })
  })

  it('hundreds who ask for entries at once have few bundles read, and each gets theirs', async () => {
    resetReads()
    const asked = await Promise.all(Array.from({ length: entries }, (_, i) => log.entry(i)))
    expect(asked.map((entry) => entry?.index)).toEqual(Array.from({ length: entries }, (_, i) => i))
    expect(reads.all).toBeLessThanOrEqual(3)
    expect(reads.most).toBeLessThanOrEqual(4)
    expect(asked.every((entry) => entry?.data.buffer.byteLength === entry?.data.length)).toBe(true)
  })
})

describe('attack: readers who ask for a great bundle and take nothing of the answer', () => {
  it('hold one copy of it together, however many they are, and nothing once they are gone', async () => {
    let readings = 0
    const read = async (): Promise<Uint8Array> => {
      readings++
      return new Uint8Array(1024 * 1024)
    }
    const share = sharedBytes(4)
    const held = await Promise.all(Array.from({ length: 50 }, () => share('tile/entries/000', read)))
    held.push(await share('tile/entries/000', read))
    expect(new Set(held.map((bytes) => bytes?.buffer)).size).toBe(1)
    expect(readings).toBe(1)
    expect((await share('tile/entries/001', read))?.buffer).not.toBe(held[0]?.buffer)
    expect(await share('tile/entries/002', async () => undefined)).toBeUndefined()
  })
})
