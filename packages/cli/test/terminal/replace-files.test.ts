import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { utf8 } from '@countersign/core/bytes'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Move, type Replacement, replaceFiles } from '../../src/terminal/replace-files.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-replace-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function made(name: string, text: string): Replacement {
  const path = join(folder, name)
  writeFileSync(path, text)
  return { path, before: utf8(text), after: utf8(`new ${text}`) }
}

const read = (name: string): string => readFileSync(join(folder, name), 'utf8')

describe('several files are replaced', () => {
  it('all together, each with its mode, and nothing else is left in the folder', async () => {
    const files = [made('a', '1'), made('b', '2')]
    chmodSync(join(folder, 'a'), 0o751)
    await replaceFiles(files)
    expect([read('a'), read('b'), statSync(join(folder, 'a')).mode & 0o777]).toEqual(['new 1', 'new 2', 0o751])
    expect(readdirSync(folder)).toEqual(['a', 'b'])
  })

  it('through a link, which stays one', async () => {
    mkdirSync(join(folder, 'real'))
    const { before, after } = made('real/a', '1')
    symlinkSync('real/a', join(folder, 'link'))
    await replaceFiles([{ path: join(folder, 'link'), before, after }])
    expect([readlinkSync(join(folder, 'link')), read('real/a')]).toEqual(['real/a', 'new 1'])
  })
})

describe('none is replaced', () => {
  it('when one cannot be written', async () => {
    const files = [made('a', '1'), { path: join(folder, 'missing'), before: utf8(''), after: utf8('x') }]
    await expect(replaceFiles(files)).rejects.toMatchObject({ code: 'io_failed' })
    expect([read('a'), readdirSync(folder)]).toEqual(['1', ['a']])
  })

  it.for([
    ['changed', 'other'],
    ['grown', '2 and more'],
    ['shrunk', ''],
  ])('when one has %s since it was read', async ([, now = '']) => {
    const files = [made('a', '1'), made('b', '2')]
    writeFileSync(join(folder, 'b'), now)
    await expect(replaceFiles(files)).rejects.toMatchObject({
      code: 'io_failed',
      message: expect.stringContaining('changed while') as string,
    })
    expect([read('a'), read('b'), readdirSync(folder)]).toEqual(['1', now, ['a', 'b']])
  })

  it.for(['fail-before-write', 'fail-after-write'] as const)(
    'when the last rename does %s: all get their old content back',
    async (fault) => {
      const files = [made('a', '1'), made('b', '2')]
      const move: Move = async (from, to) => {
        const last = to.endsWith('b')
        if (!last || fault === 'fail-after-write') await rename(from, to)
        if (last) throw new CountersignError('io_failed', 'the disk is gone')
      }
      await expect(replaceFiles(files, move)).rejects.toMatchObject({ code: 'io_failed' })
      expect([read('a'), read('b'), readdirSync(folder)]).toEqual(['1', '2', ['a', 'b']])
    },
  )
})
