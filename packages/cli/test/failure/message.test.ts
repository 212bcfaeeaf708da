import { describe, expect, it } from 'vitest'
import { printable } from '../../src/failure/message.ts'

describe('text from outside on a line of a terminal', () => {
  it.each([
    ['a line break', 'a\r\nb'],
    ['an escape sequence begins', 'a\u001bb'],
    ['a control character of eight bits', 'a\u009bb'],
    ['a separator of lines', 'a\u2028b'],
    ['a mark that turns the direction', 'a\u202eb'],
    ['a mark of direction alone', 'a\u200fb'],
    ['a space of no width', 'a\u200bb'],
    ['a soft hyphen', 'a\u00adb'],
    ['a mark of byte order', 'a\ufeffb'],
    ['a tag', 'a\u{e0041}b'],
  ])('attack: %s is shown as a blank', (_, text) => {
    expect(printable(text)).toBe('a b')
  })

  it('is otherwise shown as it is, in every script', () => {
    const text = 'Ärger 名前 имя https://x.example/a?b=c 🙂'
    expect(printable(text)).toBe(text)
  })
})
