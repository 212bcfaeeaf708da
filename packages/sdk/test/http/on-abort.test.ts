import { describe, expect, it } from 'vitest'
import { onAbort } from '../../src/http/on-abort.ts'

describe('waiting for a signal', () => {
  it('calls everybody who waits, once, in the order of asking', () => {
    const controller = new AbortController()
    const called: string[] = []
    onAbort(controller.signal, () => called.push('first'))
    onAbort(controller.signal, () => called.push('second'))
    controller.abort()
    controller.abort()
    expect(called).toEqual(['first', 'second'])
  })

  it('does not call who took it back, and keeps one listener however many wait', () => {
    const controller = new AbortController()
    let listeners = 0
    const { signal } = controller
    const add = signal.addEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>): void => {
      listeners++
      add(...args)
    }
    const called: number[] = []
    const taken = [1, 2, 3].map((one) => onAbort(signal, () => called.push(one)))
    taken[1]?.()
    controller.abort()
    expect(called).toEqual([1, 3])
    expect(listeners).toBe(1)
  })
})
