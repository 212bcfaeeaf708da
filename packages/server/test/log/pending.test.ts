import { describe, expect, it } from 'vitest'
import { pendingQueue } from '../../src/log/engine/pending.ts'
import type { LoggedEntry } from '../../src/log/tree-log.ts'
import { entryOf } from './logs.ts'

const answer = { index: 7, duplicate: false } as LoggedEntry

describe('entries that wait to be in a log', () => {
  it('are taken first come first, about as many bytes as a batch may have', () => {
    const queue = pendingQueue(100)
    for (const text of ['a', 'b', 'c', 'd']) void queue.add(entryOf(text.repeat(600)))
    const taken = [queue.take(10, 1000), queue.take(1, 1000), queue.take(10, 1000)]
    expect(taken.map((batch) => batch.map(({ entry }) => String.fromCodePoint(entry.data[0] ?? 0)))).toEqual([['a', 'b'], ['c'], ['d']])
  })

  it('count until they are settled, and once, whatever goes wrong after it', async () => {
    const queue = pendingQueue(2)
    const first = queue.add(entryOf('a'))
    const again = queue.add(entryOf('a'))
    await expect(queue.add(entryOf('b'))).rejects.toMatchObject({ code: 'log_overloaded' })
    const [pending] = queue.take(10, 1000)
    if (pending === undefined) throw new TypeError('nothing waits')
    expect(queue.outstanding()).toBe(2)
    queue.settle(pending, answer)
    expect(await Promise.all([first, again])).toMatchObject([{ duplicate: false }, { duplicate: true }])
    const later = queue.add(entryOf('a'))
    queue.fail(pending, new RangeError('too late'))
    queue.settle(pending, answer)
    expect(queue.outstanding()).toBe(1)
    const [next] = queue.take(10, 1000)
    if (next !== undefined) queue.settle(next, answer)
    expect(await later).toMatchObject({ index: 7 })
  })
})
