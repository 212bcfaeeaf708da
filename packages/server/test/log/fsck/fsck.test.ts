import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { CountersignError } from '@countersign/core/failure'
import { signCheckpoint } from '@countersign/core/note/sign'
import { startPostgres } from '@countersign/testkit/postgres'
import { openPostgres } from '../../../src/base/database/postgres.ts'
import { soleLeases } from '../../../src/base/leases/sole-leases.ts'
import type { StepHook } from '../../../src/log/engine/integrate.ts'
import { createTreeLog, openTreeLog } from '../../../src/log/engine/open-log.ts'
import { fsckLog } from '../../../src/log/fsck/fsck-log.ts'
import type { FsckOptions, FsckResult } from '../../../src/log/fsck/model.ts'
import { entryOf, newLogKey, newLogPlace, origin, type LogPlace } from '../logs.ts'

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

const leases = soleLeases(Date.now)

/** A closed log of so many entries, in batches as they come. */
async function logOf(entries: number, step?: StepHook): Promise<LogPlace> {
  const place = await newLogPlace()
  opened.push(place.remove)
  await createTreeLog(place.options())
  await add(place, 0, entries, step)
  return place
}

async function add(place: LogPlace, from: number, to: number, step?: StepHook): Promise<void> {
  const log = await openTreeLog(place.options({ leases, ...(step === undefined ? {} : { step }) }))
  for (let at = from; at < to; at += 100) {
    await Promise.allSettled(Array.from({ length: Math.min(100, to - at) }, (_, i) => log.add(entryOf(`entry ${at + i}`))))
  }
  await log.close()
}

function prove(place: LogPlace, more: Partial<FsckOptions> = {}): Promise<FsckResult> {
  const { database, blobs, key } = place
  return fsckLog({ place: { name: 'test-1', kind: 'rekor2', publicKey: key.publicKey, host: origin }, database, blobs, ...more })
}

const path = (place: LogPlace, file: string): string => join(place.folder, 'log/test-1', file)

function flip(place: LogPlace, file: string, at: number): void {
  const bytes = readFileSync(path(place, file))
  bytes[at] = (bytes[at] as number) ^ 1
  writeFileSync(path(place, file), bytes)
}

const damage = (where: string, detail: string): unknown => ({
  ok: false,
  damage: expect.objectContaining({
    where: expect.stringContaining(where) as string,
    detail: expect.stringContaining(detail) as string,
  }) as object,
})

describe('a log that is whole', () => {
  it.each([0, 1, 255, 256, 257, 700])('of %i entries is proven entry by entry, tile by tile', async (entries) => {
    const place = await logOf(entries)
    const result = await prove(place)
    expect(result).toMatchObject({ ok: true, log: { name: 'test-1', size: entries, entries } })
  })

  it('is proven while a batch is decided and not published, whatever of it is in tiles', async () => {
    for (const where of ['after stage', 'after tiles', 'before publish'] as const) {
      let [deciding, armed] = [false, false]
      const place = await logOf(260)
      await add(place, 260, 520, (step) => {
        deciding ||= step === 'before stage'
        armed ||= deciding && step === where
        if (armed) throw new CountersignError('io_failed', 'a fault that stays')
      })
      expect(await prove(place)).toMatchObject({ ok: true, log: { size: 260, entries: 360 } })
    }
  })

  it('contains the trees that clients were told of, and no others', async () => {
    const place = await newLogPlace()
    opened.push(place.remove)
    await createTreeLog(place.options())
    const log = await openTreeLog(place.options({ leases }))
    const seen = []
    for (let i = 0; i < 300; i += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, j) => log.add(entryOf(`e${i + j}`))))
      seen.push(await log.checkpoint())
    }
    await log.close()
    expect(await prove(place, { seen })).toMatchObject({ ok: true })
    const [first] = seen
    const other = { size: first!.size, rootHash: new Uint8Array(32) }
    expect(await prove(place, { seen: [...seen, other] })).toEqual(damage(`a checkpoint of ${other.size}`, 'another tree'))
    expect(await prove(place, { seen: [{ size: 301, rootHash: new Uint8Array(32) }] })).toEqual(damage('301', 'the database is older'))
  })
})

describe('damage of files', () => {
  it.each([
    ['a bit of a full tile', 'tile/0/000', 5 * 32, 'tile/0/000, hash 5', 'not that of entry 5'],
    ['a bit of the tile above', 'tile/1/000.p/2', 33, 'tile/1/000.p/2, hash 1', 'not that of tile/0/001'],
    ['a bit of the last tile', 'tile/0/002.p/88', 3, 'tile/0/002.p/88, hash 0', 'not that of entry 512'],
    ['a bit of an entry', 'tile/entries/001', 4, 'tile/entries/001, entry 256', 'not the one that was logged'],
    ['a bit of an entry in the last bundle', 'tile/entries/002.p/88', 4, 'tile/entries/002.p/88, entry 512', 'not the one that was logged'],
    ['the length of an entry', 'tile/entries/000', 0, 'tile/entries/000', 'bundle'],
    ['a bit of a partial tile of before', 'tile/0/002.p/38', 3, 'tile/0/002.p/38', 'not the beginning'],
  ])('is found: %s', async (_, file, at, where, detail) => {
    const place = await newLogPlace()
    opened.push(place.remove)
    await createTreeLog(place.options())
    await add(place, 0, 500)
    const log = await openTreeLog(place.options({ leases }))
    // Sizes of batches are the engine's to choose: these two are made to end where the test expects them.
    await Promise.all(Array.from({ length: 50 }, (__, i) => log.add(entryOf(`a ${i}`))))
    await Promise.all(Array.from({ length: 50 }, (__, i) => log.add(entryOf(`b ${i}`))))
    await log.close()
    expect(await prove(place)).toMatchObject({ ok: true, log: { size: 600 } })
    flip(place, file, at)
    expect(await prove(place)).toEqual(damage(where, detail))
  })

  it('is found: a bundle or a tile that is missing', async () => {
    const place = await logOf(300)
    for (const file of ['tile/entries/000', 'tile/0/000', 'tile/1/000.p/1', 'tile/entries/001.p/44', 'tile/0/001.p/44']) {
      const bytes = readFileSync(path(place, file))
      rmSync(path(place, file))
      expect(await prove(place)).toEqual(damage(file, 'missing'))
      writeFileSync(path(place, file), bytes)
    }
  })

  it('is found: a bundle or a tile that was cut off', async () => {
    const place = await logOf(300)
    for (const file of ['tile/entries/000', 'tile/0/000', 'tile/entries/001.p/44']) {
      const bytes = readFileSync(path(place, file))
      truncateSync(path(place, file), bytes.length - 1)
      expect(await prove(place)).toMatchObject({ ok: false, damage: { where: expect.stringContaining(file) as string } })
      writeFileSync(path(place, file), bytes)
    }
  })

  it('is found: files of a larger tree, as after the database was set back; and files that no log has', async () => {
    const place = await logOf(300)
    await place.blobs.put('log/test-1/tile/0/002', new Uint8Array(8192))
    expect(await prove(place)).toEqual(damage('tile/0/002', 'the database is older'))
    await place.blobs.remove('log/test-1/tile/0/002')
    await place.blobs.put('log/test-1/tile/data/000', new Uint8Array(8192))
    expect(await prove(place)).toEqual(damage('tile/data/000', 'no log has'))
  })
})

describe('damage of rows', () => {
  it.each([
    ['the head is another tree', 'update log_trees set head_root = zeroblob(32)', 'log_trees', 'the root of the head'],
    ['the head is behind', 'update log_trees set head_size = 10', 'log_trees', 'behind what was published'],
    ['the head is ahead', 'update log_trees set head_size = 1000', 'log_batches', 'do not end with the head'],
    ['the published columns are others', 'update log_trees set published_size = 299', 'log_trees', 'not the one of its columns'],
    ['a batch is missing', 'delete from log_batches where first = 0', 'log_batches', 'does not begin'],
    [
      'the last batch is missing',
      'delete from log_batches where first = (select max(first) from log_batches)',
      'log_batches',
      'do not end',
    ],
    ['an index row names another entry', 'update log_identities set idx = 7 where idx = 8', 'log_identities', 'names another entry'],
    ['an index row is missing', 'delete from log_identities where idx = 270', 'log_identities', 'no row of this entry'],
    ['an index row too many', 'insert into log_identities values (1, zeroblob(32), 5)', 'log_identities', 'not in the log'],
    ['the search is ahead', "insert into log_search_progress values ('test-1', 301)", 'log_search_progress', 'more than there is'],
    ['the search names too much', "insert into log_search_keys values (x'00', 'test-1', 300)", 'log_search_keys', 'not in the log'],
    ['a staged entry', 'update log_staged set entries = zeroblob(length(entries))', 'log_staged', 'more entries than'],
    ['a staged hash', 'update log_staged set leaves = zeroblob(length(leaves))', 'log_staged', 'the staged leaf hash'],
  ])('is found: %s', async (_, text, where, detail) => {
    const place = await logOf(300)
    await place.database.raw.run(text)
    expect(await prove(place)).toEqual(damage(where, detail))
  })

  it('is found: a checkpoint that another key signed, in the row and in the file', async () => {
    const place = await logOf(10)
    const [row] = await place.database.raw.query<{ published_root: Uint8Array; published_note: string }>('select * from log_trees')
    const head = { origin, size: 10, rootHash: row!.published_root }
    const forged = await signCheckpoint(head, [(await newLogKey()).signer])
    writeFileSync(path(place, 'checkpoint'), forged)
    expect(await prove(place)).toEqual(damage('log/test-1/checkpoint', 'no signature line'))
    await place.database.raw.run('update log_trees set published_note = ?', [forged])
    expect(await prove(place)).toEqual(damage('published_note', 'no signature line'))
  })

  it('is found: a checkpoint that the key of the log signed over another tree', async () => {
    const place = await logOf(10)
    const forked = await signCheckpoint({ origin, size: 7, rootHash: new Uint8Array(32) }, [place.key.signer])
    writeFileSync(path(place, 'checkpoint'), forked)
    expect(await prove(place)).toEqual(damage('log/test-1/checkpoint', 'do not give the root'))
  })

  it('is found: the whole row is gone', async () => {
    const place = await logOf(3)
    await place.database.raw.run('delete from log_trees')
    expect(await prove(place)).toEqual(damage('log_trees', 'missing'))
  })
})

describe('a log on PostgreSQL', () => {
  it('is proven and judged as on SQLite', async () => {
    const postgres = await startPostgres()
    opened.push(() => postgres.stop())
    const place = await newLogPlace({ database: await openPostgres({ url: await postgres.database() }) })
    opened.push(place.remove)
    await createTreeLog(place.options())
    await add(place, 0, 300)
    expect(await prove(place)).toMatchObject({ ok: true, log: { size: 300, entries: 300 } })
    await place.database.raw.run('update log_identities set idx = 7 where idx = 8')
    expect(await prove(place)).toEqual(damage('log_identities', 'names another entry'))
    flip(place, 'tile/0/000', 5 * 32)
    expect(await prove(place)).toEqual(damage('tile/0/000, hash 5', 'not that of entry 5'))
  }, 60_000)
})
