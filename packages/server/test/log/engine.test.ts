import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { parseSignedNote } from '@countersign/core/note/signed-note'
import { naiveRoot } from '@countersign/testkit/naive-root'
import { startPostgres, type TestPostgres } from '@countersign/testkit/postgres'
import { openPostgres } from '../../src/base/database/postgres.ts'
import { createTreeLog, openTreeLog, type OpenTreeLog } from '../../src/log/engine/open-log.ts'
import { audit, entryOf, extendsTree, newLogPlace, proves, type LogPlace } from './logs.ts'

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

let kind: 'SQLite' | 'PostgreSQL'
let postgres: TestPostgres | undefined

async function newPlace(): Promise<LogPlace> {
  const database = kind === 'SQLite' || postgres === undefined ? undefined : await openPostgres({ url: await postgres.database() })
  const place = await newLogPlace(database === undefined ? {} : { database })
  opened.push(place.remove)
  await createTreeLog(place.options())
  return place
}

async function open(place: LogPlace, more: Parameters<LogPlace['options']>[0] = {}): Promise<OpenTreeLog> {
  const log = await openTreeLog(place.options(more))
  opened.push(log.close)
  return log
}

const refusal = (code: string): unknown => expect.objectContaining({ code })

describe.each(['SQLite', 'PostgreSQL'] as const)('a log on %s', (name) => {
  beforeAll(async () => {
    kind = name
    if (name === 'PostgreSQL') postgres = await startPostgres()
  }, 60_000)
  afterAll(async () => postgres?.stop())

  it('answers when the entry is under a published checkpoint, with a proof', async () => {
    const log = await open(await newPlace())
    const entry = entryOf('first')
    const logged = await log.add(entry)
    expect(logged).toMatchObject({ index: 0, duplicate: false, checkpoint: { size: 1 } })
    expect(await proves(entry, logged)).toBe(true)
    expect(await log.checkpoint()).toEqual(logged.checkpoint)
    expect(parseSignedNote(logged.checkpoint.note).text.split('\n')[0]).toBe('log.example')
  })

  it('gives every entry its own index and proof, however they come, and the tree of RFC 6962', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 180 }), { minLength: 1, maxLength: 6 }), async (rounds) => {
        const log = await open(await newPlace())
        const all = []
        for (const [round, count] of rounds.entries()) {
          const before = await log.checkpoint()
          const entries = Array.from({ length: count }, (_, i) => entryOf(`${round}/${i}`))
          const logged = await Promise.all(entries.map(async (entry) => ({ entry, logged: await log.add(entry) })))
          for (const { entry, logged: answer } of logged) expect(await proves(entry, answer)).toBe(true)
          expect(await extendsTree(log, before)).toBe(true)
          all.push(...logged)
        }
        const sorted = all.toSorted((a, b) => a.logged.index - b.logged.index)
        expect(sorted.map(({ logged }) => logged.index)).toEqual([...sorted.keys()])
        const { rootHash } = await log.checkpoint()
        expect(rootHash).toEqual(naiveRoot(sorted.map(({ entry }) => entry.leafHash)))
        expect(await audit(log)).toHaveLength(all.length)
      }),
      { numRuns: 6 },
    )
  })

  it('goes on after a restart as if there had been none', async () => {
    const place = await newPlace()
    const first = await open(place)
    await Promise.all(Array.from({ length: 300 }, (_, i) => first.add(entryOf(`a${i}`))))
    const before = await first.checkpoint()
    await first.close()
    const second = await open(place)
    const entry = entryOf('after')
    const logged = await second.add(entry)
    expect(logged.index).toBe(300)
    expect(await proves(entry, logged)).toBe(true)
    expect(await extendsTree(second, before)).toBe(true)
    expect(await audit(second)).toHaveLength(301)
  })

  it('answers an entry that it has with the first one, in the same batch and long after', async () => {
    const log = await open(await newPlace())
    const twice = await Promise.all([log.add(entryOf('same')), log.add(entryOf('same')), log.add(entryOf('other'))])
    // Which of two at once is the first may differ; that there is one first does not.
    const [one, two, other] = twice
    expect([one.index === two.index, [one.duplicate, two.duplicate].filter(Boolean).length, other.duplicate]).toEqual([true, 1, false])
    const again = await log.add(entryOf('same'))
    expect(again).toMatchObject({ index: one.index, duplicate: true, checkpoint: { size: 2 } })
    expect(again.integratedAt).toBe(one.integratedAt)
    expect(await proves(entryOf('same'), again)).toBe(true)
    expect((await log.checkpoint()).size).toBe(2)
  })

  it('answers hundreds that it has, sent all at once, each with its own', async () => {
    const log = await open(await newPlace())
    const entries = Array.from({ length: 300 }, (_, i) => entryOf(`${i}`))
    const before = await Promise.all(entries.map((entry) => log.add(entry)))
    const again = await Promise.all(entries.map((entry) => log.add(entry)))
    expect(again.map(({ index, duplicate }) => [index, duplicate])).toEqual(before.map(({ index }) => [index, true]))
  })

  it('finds nothing that is decided and not published: its proof would be impossible', async () => {
    const place = await newPlace()
    const reached = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const step = async (where: string): Promise<void> => {
      if (where !== 'after stage') return
      reached.resolve()
      await gate.promise
    }
    const log = await open(place, { step })
    const added = log.add(entryOf('decided'))
    await reached.promise
    expect(await log.indexOfLeaf(entryOf('decided').leafHash)).toBeUndefined()
    expect(await log.entry(0)).toBeUndefined()
    gate.resolve()
    await added
    expect(await log.indexOfLeaf(entryOf('decided').leafHash)).toBe(0)
  })

  it('finds entries by index and by leaf, and nothing outside the tree', async () => {
    const log = await open(await newPlace())
    await Promise.all(Array.from({ length: 5 }, (_, i) => log.add(entryOf(`e${i}`))))
    const { index } = await log.add(entryOf('wanted'))
    expect(await log.indexOfLeaf(entryOf('wanted').leafHash)).toBe(index)
    expect(await log.indexOfLeaf(entryOf('unknown').leafHash)).toBeUndefined()
    expect(Buffer.from((await log.entry(index))?.data ?? []).toString()).toBe('wanted')
    expect(await log.entry(6)).toBeUndefined()
    await expect(log.consistency(3, 7)).rejects.toEqual(refusal('proof_impossible'))
    await expect(log.consistency(0, 3)).rejects.toEqual(refusal('proof_impossible'))
  })

  it('serves the tiles of the published tree, no other path, and partial ones also when only the full one is left', async () => {
    const log = await open(await newPlace())
    for (let round = 0; round < 4; round++) {
      await Promise.all(Array.from({ length: 200 }, (_, i) => log.add(entryOf(`${round}.${i}`))))
    }
    const full = await log.file('tile/0/000')
    expect(full).toMatchObject({ full: true })
    expect(full?.bytes).toHaveLength(8192)
    const partial = await log.file('tile/0/000.p/200')
    expect(partial?.bytes).toEqual(full?.bytes.subarray(0, 6400))
    expect(await log.file('tile/0/000.p/77')).toMatchObject({ full: false })
    expect(await log.file('tile/1/000.p/3')).toMatchObject({ full: false })
    expect(await log.file('tile/entries/000.p/3')).toMatchObject({ full: false })
    expect(await log.file('tile/0/003.p/33')).toBeUndefined()
    expect(await log.file('tile/0/004')).toBeUndefined()
    expect(await log.file('checkpoint')).toBeUndefined()
    expect(await log.file('../test-1/tile/0/000')).toBeUndefined()
  })

  it('refuses the entry that is one too many at once, and takes others when those are done', async () => {
    const log = await open(await newPlace(), { maxOutstanding: 8 })
    // Until then entries may go by way of the queue that processes share, which counts apart.
    await expect.poll(() => log.sequencing()).toBe(true)
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => log.add(entryOf(`${i}`))))
    const refused = results.filter((result) => result.status === 'rejected')
    expect(refused).toHaveLength(12)
    expect(refused.every(({ reason }) => reason.code === 'log_overloaded')).toBe(true)
    expect(log.outstanding()).toBe(0)
    expect((await log.add(entryOf('later'))).index).toBe(8)
  })

  it('takes no entry once it is frozen, and goes on to be read', async () => {
    const place = await newPlace()
    const log = await open(place)
    await log.add(entryOf('last'))
    await log.freeze()
    await expect(log.add(entryOf('late'))).rejects.toEqual(refusal('log_frozen'))
    expect(await log.frozen()).toBe(true)
    expect(await audit(log)).toEqual(['last'])
    await log.close()
    const again = await open(place)
    await expect(again.add(entryOf('later'))).rejects.toEqual(refusal('log_frozen'))
    expect(await audit(again)).toEqual(['last'])
  })

  it('lets entries name their own index', async () => {
    const log = await open(await newPlace())
    await log.add(entryOf('one'))
    const numbered = { offset: 1, leafPrefix: Uint8Array.of(9), leafBytes: 6 }
    const logged = await log.add({ ...entryOf('x-----tail'), numbered })
    const data = (await log.entry(1))?.data ?? new Uint8Array(0)
    expect([...data.subarray(0, 6)]).toEqual(['x'.charCodeAt(0), 0, 0, 0, 0, 1])
    const leaf = entryOf(`\u0009${Buffer.from(data.subarray(0, 6)).toString('latin1')}`)
    expect(await proves(leaf, logged)).toBe(true)
  })

  it('dates no entry and no checkpoint before those before it, whatever the clock says', async () => {
    let offset = 0
    const log = await open(await newPlace(), { clock: () => Date.now() + offset })
    const times: number[] = []
    for (const [i, behind] of [0, 3_600_000, 7_200_000].entries()) {
      offset = -behind
      const { integratedAt, checkpoint } = await log.add(entryOf(`${i}`))
      times.push(integratedAt, checkpoint.signedAt)
    }
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  it('takes entries of at most 65,535 bytes, as the bundles of tlog-tiles have them', async () => {
    const log = await open(await newPlace())
    expect((await log.add(entryOf('x'.repeat(65_535)))).index).toBe(0)
    await expect(log.add(entryOf('x'.repeat(65_536)))).rejects.toEqual(refusal('log_entry_malformed'))
    await expect(log.add({ ...entryOf('y'), identity: new Uint8Array(31) })).rejects.toEqual(refusal('internal'))
  })

  it('is made once and never by accident', async () => {
    const place = await newPlace()
    await expect(createTreeLog(place.options())).rejects.toEqual(refusal('log_exists'))
    await expect(openTreeLog(place.options({ name: 'absent' }))).rejects.toEqual(refusal('log_missing'))
    await expect(openTreeLog(place.options({ origin: 'other.example' }))).rejects.toEqual(refusal('log_inconsistent'))
    const log = await open(place)
    expect(await log.checkpoint()).toMatchObject({ size: 0 })
  })
})
