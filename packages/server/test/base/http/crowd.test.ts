import { EventEmitter } from 'node:events'
import type { Server } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { crowdFirst } from '../../../src/base/http/crowd.ts'

function door(): { readonly comes: () => boolean; readonly enter: ReturnType<typeof crowdFirst> } {
  const server = new EventEmitter()
  return { comes: () => server.emit('connection'), enter: crowdFirst(server as Server) }
}

describe('a crowd that comes at once', () => {
  it('is served at once where nobody stands at the door', () => {
    const { enter } = door()
    let served = 0
    enter(() => served++)
    expect(served).toBe(1)
  })

  it('is let in before anybody is served, and then served in the order of its requests', async () => {
    const { comes, enter } = door()
    const served: number[] = []
    for (let at = 0; at < 50; at++) {
      comes()
      enter(() => served.push(at))
      await turn()
    }
    expect(served).toEqual([])
    while (served.length === 0) await turn()
    expect(served).toEqual(Array.from({ length: 50 }, (_, at) => at))
  })

  it('cannot keep those who are in from being served, were it without end', async () => {
    const { comes, enter } = door()
    const served: string[] = []
    comes()
    enter(() => served.push('the first'))
    const start = performance.now()
    while (served.length === 0) {
      comes()
      await turn()
    }
    expect(performance.now() - start).toBeGreaterThan(200)
  })
})
