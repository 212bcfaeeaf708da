import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { concatBytes, utf8 } from '@countersign/core/bytes'
import { open, seal } from '../../../src/base/backup/sealed-stream.ts'
import { readTar, writeTar, type TarFile } from '../../../src/base/backup/tar.ts'

const passphrase = utf8('correct horse battery staple')

async function* pieces(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts
}

async function whole(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return concatBytes(...parts)
}

const chunk = 64 * 1024
const sealedChunk = chunk + 16
const head = 'countersign-backup-1\n'.length + 32
const withCode = (code: string): unknown => expect.objectContaining({ code })

describe('a sealed stream', () => {
  it.each([0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk])('of %i bytes opens to what was sealed', async (size) => {
    const content = new Uint8Array(randomBytes(size))
    const sealed = await whole(seal(passphrase, pieces(content.subarray(0, size / 3), content.subarray(size / 3))))
    expect(sealed.length).toBe(head + size + 16 * Math.max(1, Math.ceil(size / chunk)))
    expect(Buffer.from(await whole(open(passphrase, pieces(sealed.subarray(0, 7), sealed.subarray(7))))).equals(content)).toBe(true)
  })

  it('does not open with another passphrase', async () => {
    const sealed = await whole(seal(passphrase, pieces(utf8('x'))))
    await expect(whole(open(utf8('another'), pieces(sealed)))).rejects.toThrow(withCode('key_password_wrong'))
  })

  it('does not open when a chunk is changed, left out, exchanged or repeated, or when the end is cut off', async () => {
    const sealed = await whole(seal(passphrase, pieces(new Uint8Array(3 * chunk + 5))))
    const parts = [0, 1, 2, 3].map((i) => sealed.subarray(head + i * sealedChunk, head + (i + 1) * sealedChunk)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ]
    const [a, b, c, d] = parts
    const changed = b.slice()
    changed[7] = (changed[7] as number) ^ 1
    for (const wrong of [[a, changed, c, d], [a, c, d], [a, c, b, d], [a, b, b, c, d], [a, b, c], [a, b, c, d.subarray(0, 20)], [a]]) {
      await expect(whole(open(passphrase, pieces(sealed.subarray(0, head), ...wrong)))).rejects.toThrow(withCode('backup_damaged'))
    }
  })

  it('is told from other files', async () => {
    await expect(whole(open(passphrase, pieces(utf8('PK\u0003\u0004'))))).rejects.toThrow(withCode('backup_damaged'))
  })
})

async function* files(entries: readonly (readonly [string, Uint8Array])[]): AsyncGenerator<TarFile> {
  for (const [name, content] of entries) yield { name, size: content.length, content: pieces(content) }
}

describe('an archive', () => {
  const entries = [
    ['VERSION', utf8('1\n')],
    ['empty', new Uint8Array()],
    [`blobs/${'folder/'.repeat(14)}file`, new Uint8Array(randomBytes(1024))],
  ] as const

  it('holds what was written, and other programs read it too', async () => {
    const archive = await whole(writeTar(files(entries)))
    const read: [string, Uint8Array][] = []
    for await (const { name, content } of readTar(pieces(archive))) read.push([name, await whole(content)])
    expect(read.map(([name, content]) => [name, Buffer.from(content).toString('hex')])).toEqual(
      entries.map(([name, content]) => [name, Buffer.from(content).toString('hex')]),
    )
    const { error, stdout } = spawnSync('tar', ['tf', '-'], { input: archive })
    const listed = error === undefined ? stdout.toString().trim().split('\n') : 'no tar here'
    expect([entries.map(([name]) => name), 'no tar here']).toContainEqual(listed)
  })

  it.each([
    ['a name of more than 255 bytes', `${'a/'.repeat(100)}${'b'.repeat(60)}`, 1],
    ['a last part of a name of more than 100 bytes', `a/${'b'.repeat(101)}`, 1],
    ['8 GiB', 'a', 8 ** 11],
  ])('holds nothing with %s: whoever reads it would find something else', async (_, name, size) => {
    const file: TarFile = { name, size, content: pieces() }
    const one = async function* (): AsyncGenerator<TarFile> {
      yield file
    }
    await expect(whole(writeTar(one()))).rejects.toThrow(withCode('not_supported'))
  })

  it('does not end well when a file changed while it was read', async () => {
    const one = async function* (): AsyncGenerator<TarFile> {
      yield { name: 'a', size: 3, content: pieces(utf8('ab')) }
    }
    await expect(whole(writeTar(one()))).rejects.toThrow(withCode('io_failed'))
  })

  it('that names a place outside, or holds anything but files, is refused', async () => {
    for (const name of ['../escape', '/absolute', 'a//b', 'a/./b']) {
      const archive = await whole(writeTar(files([[name, utf8('x')]])))
      const reading = async (): Promise<void> => {
        for await (const { content } of readTar(pieces(archive))) await whole(content)
      }
      await expect(reading()).rejects.toThrow(withCode('backup_damaged'))
    }
  })
})
