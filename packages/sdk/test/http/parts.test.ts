import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { partsOf } from '../../src/http/parts.ts'

async function textOf(stream: Readable): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of partsOf(stream)) parts.push(part)
  return Buffer.concat(parts).toString()
}

describe('the parts of a stream', () => {
  it('are all of it, whether they arrived before, or come one by one', async () => {
    const before = new PassThrough()
    before.write('one ')
    before.end('two')
    expect(await textOf(before)).toBe('one two')
    const slow = Readable.from(
      (async function* () {
        for (const word of ['one ', 'two ', 'three']) {
          await new Promise((resolve) => setTimeout(resolve, 2))
          yield Buffer.from(word)
        }
      })(),
      { objectMode: false },
    )
    expect(await textOf(slow)).toBe('one two three')
    const empty = new PassThrough()
    empty.end()
    expect(await textOf(empty)).toBe('')
  })

  it('fail as the stream does, before the first is asked for and after', async () => {
    const reset = Object.assign(new TypeError('reset'), { code: 'ECONNRESET' })
    const early = new PassThrough().on('error', () => undefined)
    early.destroy(reset)
    await expect(textOf(early)).rejects.toBe(reset)
    const late = new PassThrough()
    late.write('some')
    setTimeout(() => late.destroy(reset), 5)
    await expect(textOf(late)).rejects.toBe(reset)
  })

  it('attack: a connection that ends without an error is not the end of an answer', async () => {
    const cut = new PassThrough()
    cut.write('some')
    setTimeout(() => cut.destroy(), 5)
    await expect(textOf(cut)).rejects.toMatchObject({ code: 'registry_unreachable' })
    const gone = new PassThrough()
    gone.destroy()
    await expect(textOf(gone)).rejects.toMatchObject({ code: 'registry_unreachable' })
  })

  it('end the stream when nobody wants the rest', async () => {
    const stream = new PassThrough()
    stream.write('some')
    for await (const part of partsOf(stream)) {
      expect(Buffer.from(part).toString()).toBe('some')
      break
    }
    expect(stream.destroyed).toBe(true)
  })
})
