import { utf8 } from '@countersign/core/bytes'
import { gate, readAll } from '@countersign/sdk/discover/bounded'
import { describe, expect, it } from 'vitest'

describe('a gate', () => {
  it('lets no more tasks through at the same time than it is wide, in the order in which they came', async () => {
    const through = gate(2)
    const started: number[] = []
    let [running, most] = [0, 0]
    const results = await Promise.all(
      [0, 1, 2, 3, 4].map((n) =>
        through(async () => {
          started.push(n)
          most = Math.max(most, ++running)
          await new Promise(setImmediate)
          running--
          return n
        }),
      ),
    )
    expect({ most, started, results }).toStrictEqual({ most: 2, started: [0, 1, 2, 3, 4], results: [0, 1, 2, 3, 4] })
  })

  it('is not narrower after a task that failed', async () => {
    const through = gate(1)
    await expect(through(() => Promise.reject(new TypeError('failed')))).rejects.toThrow('failed')
    expect(await through(() => Promise.resolve('through'))).toBe('through')
  })
})

it('a stream whose source fills the same memory again is collected as it came', async () => {
  const stream = async function* (): AsyncGenerator<Uint8Array> {
    const memory = new Uint8Array(3)
    for (const text of ['abc', 'def']) {
      memory.set(utf8(text))
      yield memory
    }
  }
  expect(await readAll(stream(), 6, 'it', () => undefined)).toEqual(utf8('abcdef'))
  await expect(readAll(stream(), 5, 'it', () => undefined)).rejects.toMatchObject({ code: 'limit_exceeded' })
})
