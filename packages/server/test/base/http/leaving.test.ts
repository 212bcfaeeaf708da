import { describe, expect, it } from 'vitest'
import { leavingTogether } from '../../../src/base/http/leaving.ts'

const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('answers of one turn', () => {
  it('leave at its end in the order in which they were ready, each once', async () => {
    const left: string[] = []
    const leave = leavingTogether()
    leave(() => left.push('first'))
    await Promise.resolve()
    leave(() => left.push('second'))
    expect(left).toEqual([])
    await endOfTurn()
    expect(left).toEqual(['first', 'second'])
    await endOfTurn()
    expect(left).toEqual(['first', 'second'])
  })

  it('that become ready while others leave, leave in the next one', async () => {
    const left: string[] = []
    const leave = leavingTogether()
    leave(() => {
      left.push('first')
      leave(() => left.push('second'))
    })
    await endOfTurn()
    expect(left).toEqual(['first'])
    await endOfTurn()
    expect(left).toEqual(['first', 'second'])
  })
})
