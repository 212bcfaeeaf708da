import { describe, expect, it } from 'vitest'
import { answered } from '../../src/terminal/prompt.ts'

describe('a question on the terminal', () => {
  it('is answered with what the person says', async () => {
    await expect(answered(Promise.resolve('yes'))).resolves.toBe('yes')
  })

  it('that is never answered, because the input ended, is wrong usage: not the exit code 13 of Node, which means "denied"', async () => {
    const pending = answered(new Promise<string>(() => undefined))
    process.emit('beforeExit', 0)
    await expect(pending).rejects.toMatchObject({ code: 'usage', message: 'the input ended before the question was answered' })
  })

  it('leaves nothing behind that would end a later one', async () => {
    const before = process.listenerCount('beforeExit')
    await answered(Promise.resolve('yes'))
    expect(process.listenerCount('beforeExit')).toBe(before)
  })
})
