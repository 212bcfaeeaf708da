import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { itemMigrations } from '@countersign/testkit/contracts/database'
import type { Database } from '@countersign/server/base/database/database'
import { expect, it } from 'vitest'
import { startChild } from '../child.ts'
import { describeDatabases } from '../databases.ts'

const script = new URL('writing-process.ts', import.meta.url)

/** What was confirmed is there, and of every pair both rows or none. */
async function checkRows(database: Database, confirmed: readonly number[]): Promise<void> {
  const rows = await database.raw.query<{ id: number; name: string }>('select id, name from items')
  const names = new Map(rows.map(({ id, name }) => [id, name]))
  const missing = confirmed.filter((id) => !names.has(id) || !names.has(id + 1) || !names.has(id + 2))
  expect(missing).toEqual([])
  const pairs = rows.filter(({ name }) => name.startsWith('pair'))
  const halves = pairs.filter(({ id, name }) => names.get(name.endsWith('first') ? id + 1 : id - 1)?.split(' ')[1] !== name.split(' ')[1])
  expect(halves).toEqual([])
}

describeDatabases('a database', (openDatabase, kind) => {
  it('keeps what it confirmed, and no half of anything, when its process is killed again and again', async () => {
    const { database, where, close } = await openDatabase(itemMigrations)
    const confirmed: number[] = []
    for (let round = 0; round < 4; round++) {
      const child = startChild(script, [where, 'write'])
      expect(await child.line()).toMatch(/^\d+$/)
      await sleep(20 + 40 * round + Math.random() * 30)
      child.kill('SIGKILL')
      const { lines } = await child.ended
      confirmed.push(...lines.map(Number))
      // A pair of a process that was killed may have left room for the next one.
      await sleep(20)
      await checkRows(database, confirmed)
    }
    expect(confirmed.length).toBeGreaterThanOrEqual(4)
    await close()
  })

  it('loses no update of two processes at once', async () => {
    const { database, where, close } = await openDatabase(itemMigrations)
    await database.raw.insert('items', ['id', 'name'], [[1, '0']])
    const children = [startChild(script, [where, 'increment']), startChild(script, [where, 'increment'])]
    for (const child of children) expect((await child.ended).lines).toEqual(['done'])
    expect(await database.raw.query('select name from items')).toMatchObject([{ name: '200' }])
    await close()
  })

  it('is not stopped by a process that hangs in a transaction: writers give up in time, readers go on', async () => {
    const { database, where, another, close } = await openDatabase(itemMigrations, { busyMs: 400 })
    await database.raw.insert('items', ['id', 'name'], [[1, 'kept']])
    const child = startChild(script, [where, 'hold'])
    expect(await child.line()).toBe('holding')
    child.kill('SIGSTOP')
    let ticks = 0
    const ticking = setInterval(() => ticks++, 20)
    const started = performance.now()
    await expect(database.raw.run('update items set name = ? where id = 1', ['changed'])).rejects.toMatchObject({ code: 'database_busy' })
    expect(performance.now() - started).toBeLessThan(10_000)
    clearInterval(ticking)
    expect(ticks).toBeGreaterThan(2)
    expect(await (await another()).raw.query('select name from items')).toMatchObject([{ name: 'kept' }])
    child.kill('SIGKILL')
    await child.ended
    await expect.poll(() => database.raw.run('update items set name = ? where id = 1', ['changed']).catch(() => 0)).toBe(1)
    await close()
  })

  it.runIf(kind === 'sqlite')('refuses what a full disk cannot hold, and keeps what it confirmed before', async () => {
    const { database, where, close } = await openDatabase(itemMigrations)
    await database.raw.run('insert into items (id, name) values (1, ?)', ['first'])
    const child = startChild(script, [where, 'write'], { largestFile: Math.ceil(statSync(`${where}-wal`).size / 512) + 200 })
    const { lines } = await child.ended
    expect(lines.at(-1)).toBe('database_failed')
    expect(lines.length).toBeGreaterThan(2)
    await checkRows(database, lines.slice(0, -1).map(Number))
    expect(await database.raw.run('insert into items (id) values (?)', [1_000_000])).toBe(1)
    await close()
  })
})
