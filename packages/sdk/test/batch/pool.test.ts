import { runPool, type Settled } from '@countersign/sdk/batch/pool'
import { describe, expect, it } from 'vitest'

function clock(): number {
  return 0
}

async function results<T>(
  lanes: readonly string[],
  task: (index: number) => Promise<T>,
  options: { readonly workers: number; readonly signal?: AbortSignal },
): Promise<readonly Settled<T>[]> {
  const all: Settled<T>[] = []
  let told = 0
  await runPool(lanes, task, { ...options, clock }, (index, outcome) => {
    told++
    all[index] = outcome
  })
  expect(told).toBe(lanes.length)
  return all
}

describe('a pool', () => {
  it('does each task once and goes on after a failure', async () => {
    const all = await results(['a', 'a', 'b', 'b'], async (index) => (index === 1 ? Promise.reject(new TypeError('no')) : index), {
      workers: 2,
    })
    expect(all.map(({ kind }) => kind)).toEqual(['done', 'failed', 'done', 'done'])
  })

  it('never has more under way than it has workers, and as many as it can', async () => {
    let active = 0
    let most = 0
    await results(
      Array.from({ length: 50 }, () => 'a'),
      async () => {
        active++
        most = Math.max(most, active)
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
        active--
      },
      { workers: 7 },
    )
    expect(most).toBe(7)
  })

  it('lets no slow host hold up the others: hosts take turns', async () => {
    const began: number[] = []
    const hold = Promise.withResolvers<undefined>()
    const lanes = ['slow', 'slow', 'slow', 'slow', 'fast', 'fast', 'fast', 'fast']
    const done = results(
      lanes,
      async (index) => {
        began.push(index)
        if (index < 4) await hold.promise
        if (index === 7) hold.resolve(undefined)
      },
      { workers: 3 },
    )
    await done
    expect(began.indexOf(7)).toBeLessThan(began.indexOf(3))
  })

  it('begins tasks of one host in their order', async () => {
    const began: number[] = []
    await results(['a', 'b', 'a', 'b', 'a'], async (index) => void began.push(index), { workers: 1 })
    expect(began.filter((index) => index % 2 === 0)).toEqual([0, 2, 4])
  })

  it.each(['interrupted', 'deadline'] as const)(
    'ends early when it is told to (%s): what is known stays, the rest is not reached',
    async (why) => {
      const ending = new AbortController()
      const all = await results(
        ['a', 'a', 'a', 'a'],
        async (index) => {
          if (index === 1) {
            ending.abort(why)
            await new Promise(() => undefined)
          }
          return index
        },
        { workers: 1, signal: ending.signal },
      )
      expect(all[0]).toMatchObject({ kind: 'done', value: 0 })
      expect(all.slice(1)).toEqual([1, 2, 3].map(() => ({ kind: 'not_reached', why })))
    },
  )

  it('ends at once when it was ended before it began', async () => {
    const all = await results(['a'], async () => expect.fail('begun'), { workers: 4, signal: AbortSignal.abort('deadline') })
    expect(all).toEqual([{ kind: 'not_reached', why: 'deadline' }])
  })

  it('leaves nothing behind on the signal', async () => {
    const ending = new AbortController()
    let listeners = 0
    const { signal } = ending
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    Object.assign(signal, {
      addEventListener: (...args: Parameters<typeof add>) => {
        listeners++
        add(...args)
      },
      removeEventListener: (...args: Parameters<typeof remove>) => {
        listeners--
        remove(...args)
      },
    })
    await results(
      Array.from({ length: 100 }, () => 'a'),
      async (index) => index,
      { workers: 3, signal },
    )
    expect(listeners).toBe(0)
  })

  it('has nothing to do with no tasks', async () => {
    expect(await results([], async () => 1, { workers: 3 })).toEqual([])
  })
})
