import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { CountersignError } from '@countersign/core/failure'
import { fileBlobs } from '../../src/base/blobs/file-blobs.ts'
import type { Leases } from '../../src/base/leases/lease.ts'
import { soleLeases } from '../../src/base/leases/sole-leases.ts'
import { stepPlaces, type StepHook } from '../../src/log/engine/integrate.ts'
import { createTreeLog, openTreeLog, type OpenTreeLog } from '../../src/log/engine/open-log.ts'
import type { LoggedEntry } from '../../src/log/tree-log.ts'
import { audit, entryOf, extendsTree, newLogPlace, proves, type LogPlace } from './logs.ts'

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

async function newPlace(use: Parameters<typeof newLogPlace>[0] = {}): Promise<LogPlace> {
  const place = await newLogPlace(use)
  opened.push(place.remove)
  await createTreeLog(place.options())
  return place
}

const leases = soleLeases(Date.now)

async function open(place: LogPlace, step?: StepHook): Promise<OpenTreeLog> {
  const log = await openTreeLog(place.options({ leases, ...(step === undefined ? {} : { step }) }))
  opened.push(log.close)
  return log
}

/** Adds until it works, as clients do; gives what was acknowledged. */
async function insist(log: OpenTreeLog, text: string): Promise<LoggedEntry> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await log.add(entryOf(text))
    } catch (failure) {
      if (attempt === 40 || !(failure instanceof CountersignError) || failure.code !== 'log_unavailable') throw failure
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

async function demandWhole(log: OpenTreeLog, acknowledged: ReadonlyMap<string, LoggedEntry>): Promise<void> {
  const texts = await audit(log)
  expect(new Set(texts).size).toBe(texts.length)
  for (const [text, logged] of acknowledged) {
    expect(texts[logged.index]).toBe(text)
    expect(await proves(entryOf(text), logged)).toBe(true)
    expect(await extendsTree(log, logged.checkpoint)).toBe(true)
  }
}

describe('a log with faults', () => {
  it.each(stepPlaces)('loses nothing and contradicts nothing when it fails %s', async (where) => {
    const place = await newPlace()
    let faults = 0
    const log = await open(place, (step) => {
      if (step === where && faults++ === 1) throw new CountersignError('io_failed', 'a fault')
    })
    const acknowledged = new Map<string, LoggedEntry>()
    for (let i = 0; i < 4; i++) acknowledged.set(`e${i}`, await insist(log, `e${i}`))
    expect(faults).toBeGreaterThan(1)
    await demandWhole(log, acknowledged)
  })

  it.each(stepPlaces)('goes on after a crash %s, and the process that hung there changes nothing when it wakes', async (where) => {
    const place = await newPlace()
    const gate = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    let passes = 0
    const hung = await open(place, async (step) => {
      if (step !== where || ++passes !== 2) return
      reached.resolve()
      await gate.promise
    })
    const acknowledged = new Map([['first', await hung.add(entryOf('first'))]])
    const late = hung.add(entryOf('late'))
    late.catch(() => undefined)
    await reached.promise
    const next = await open(place)
    for (const text of ['second', 'third']) acknowledged.set(text, await insist(next, text))
    gate.resolve()
    const [outcome] = await Promise.allSettled([late])
    await demandWhole(next, acknowledged)
    const texts = await audit(next)
    // What was decided before the crash is there, whatever its sender was told; what was told to be there is there.
    expect(texts.includes('late') || outcome.status === 'rejected').toBe(true)
    expect(texts.includes('late')).toBe(where !== 'before stage')
    // Whoever was overtaken answers with no checkpoint of its own: nobody published that one.
    expect(outcome.status).toBe(where === 'after publish' || where === 'before answer' ? 'fulfilled' : 'rejected')
  })

  it('takes no entry while the disk refuses, says so, and goes on by itself afterwards', async () => {
    let broken = false
    const folder = await newLogPlace()
    opened.push(folder.remove)
    const blobs = await fileBlobs(folder.folder, {
      step: (step) => {
        if (broken && step === 'sync') throw Object.assign(new RangeError('no space'), { code: 'ENOSPC' })
      },
    })
    const place: LogPlace = { ...folder, options: (more) => folder.options({ blobs, ...more }) }
    await createTreeLog(place.options())
    const log = await open(place)
    const acknowledged = new Map([['before', await log.add(entryOf('before'))]])
    broken = true
    await expect(log.add(entryOf('during'))).rejects.toMatchObject({ code: 'log_unavailable' })
    await expect.poll(() => log.failure()).toMatchObject({ code: 'blob_store_failed' })
    await expect(log.add(entryOf('meanwhile'))).rejects.toMatchObject({ code: 'log_unavailable' })
    broken = false
    acknowledged.set('after', await insist(log, 'after'))
    expect(log.failure()).toBeUndefined()
    await demandWhole(log, acknowledged)
    expect(await audit(log)).toEqual(['before', 'during', 'after'])
  })

  it('writes a torn tile of the last batch again', async () => {
    const place = await newPlace()
    const log = await open(place)
    for (const text of ['a', 'b', 'c']) await log.add(entryOf(text))
    await log.close()
    truncateSync(join(place.folder, 'log/test-1/tile/0/000.p/3'), 40)
    writeFileSync(join(place.folder, 'log/test-1/tile/entries/000.p/3'), '')
    const again = await open(place)
    expect((await again.add(entryOf('d'))).index).toBe(3)
    expect(await audit(again)).toEqual(['a', 'b', 'c', 'd'])
  })

  it.each([
    ['torn', (file: string) => truncateSync(file, 40)],
    ['changed', (file: string) => writeFileSync(file, Buffer.alloc(64))],
  ])('stops when a tile that it goes on from is %s, names it and signs nothing', async (_, damage) => {
    const place = await newPlace()
    const log = await open(place)
    for (const text of ['a', 'b', 'c']) await log.add(entryOf(text))
    const before = await log.checkpoint()
    await log.close()
    damage(join(place.folder, 'log/test-1/tile/0/000.p/2'))
    const again = await open(place)
    await expect(again.add(entryOf('d'))).rejects.toMatchObject({ code: 'log_unavailable' })
    await expect.poll(() => again.failure()).toMatchObject({ code: expect.stringMatching(/^log_(damaged|inconsistent)$/) })
    expect(await again.checkpoint()).toEqual(before)
  })

  it('stops for good when the head does not follow from the tiles: it would sign a fork', async () => {
    const place = await newPlace()
    const log = await open(place)
    await log.add(entryOf('a'))
    await log.close()
    const setHead = async (rootHash: Uint8Array): Promise<number> =>
      place.database.raw.run('update log_trees set head_root = ? where name = ?', [rootHash, 'test-1'])
    await setHead(new Uint8Array(32))
    const again = await open(place)
    await expect.poll(() => again.failure()).toMatchObject({ code: 'log_inconsistent' })
    // Not even when it would go on now: a person must look.
    await setHead((await again.checkpoint()).rootHash)
    await new Promise((resolve) => setTimeout(resolve, 500))
    await expect(again.add(entryOf('b'))).rejects.toMatchObject({ code: 'log_unavailable' })
    expect((await again.checkpoint()).size).toBe(1)
  })

  it('decides no more once its lease ended, though nobody else has taken it', async () => {
    const place = await newPlace()
    let takes = 0
    const once: Leases = {
      take: async (name) => (takes++ === 0 ? { name, fence: 1, expiresAt: Date.now() + 300 } : undefined),
      release: async () => undefined,
    }
    const log = await openTreeLog(place.options({ leases: once }))
    opened.push(log.close)
    expect((await log.add(entryOf('in time'))).index).toBe(0)
    await expect.poll(() => log.sequencing(), { timeout: 5_000 }).toBe(false)
    await expect.poll(() => log.failure()).toMatchObject({ code: 'log_unavailable' })
  })

  it('tells everybody who waits when it stops', async () => {
    const gate = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    const log = await open(await newPlace(), async (step) => {
      if (step !== 'before stage') return
      reached.resolve()
      await gate.promise
    })
    const first = log.add(entryOf('first'))
    await reached.promise
    const second = log.add(entryOf('second'))
    const closed = log.close()
    gate.resolve()
    await expect(second).rejects.toMatchObject({ code: 'log_unavailable' })
    expect((await first).index).toBe(0)
    await closed
  })

  it.each([
    ['its head was set back behind what it published', 'log_inconsistent', 'head_size = 1, head_root = ?', (leaf: Uint8Array) => [leaf]],
    [
      'entries between what it published and its head are gone',
      'log_inconsistent',
      'published_size = 1, published_root = ?',
      (leaf: Uint8Array) => [leaf],
    ],
    ['it published another root than that of its tiles', 'log_damaged', 'published_root = ?', () => [new Uint8Array(32)]],
  ])('signs nothing when %s', async (_, code, set, values) => {
    const place = await newPlace()
    const log = await open(place)
    for (const text of ['a', 'b', 'c']) await log.add(entryOf(text))
    await log.close()
    const { raw } = place.database
    await raw.run('delete from log_staged')
    await raw.run(`update log_trees set ${set} where name = 'test-1'`, values(entryOf('a').leafHash))
    const before = await raw.query('select * from log_trees')
    const again = await open(place)
    await expect.poll(() => again.failure()).toMatchObject({ code })
    expect(await raw.query('select * from log_trees')).toEqual(before)
  })

  it('keeps partial tiles only as long as they are needed', async () => {
    const log = await open(await newPlace().then((place) => ((folder = place.folder), place)))
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 60 }, (_, j) => log.add(entryOf(`${i}.${j}`))))
    await log.close()
    const names = readdirSync(join(folder, 'log/test-1/tile/0'))
    expect(names.filter((name) => /^\d{3}$/.test(name))).toHaveLength(4)
    const partials = names.filter((name) => name.endsWith('.p')).flatMap((name) => readdirSync(join(folder, 'log/test-1/tile/0', name)))
    expect(partials.length).toBeLessThan(12)
  })
  let folder = ''
})
