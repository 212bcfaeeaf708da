import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type KeyPairFiles, writeKeyPair } from '../../src/keys/key-files.ts'

const pair = { privatePem: 'private\n', publicPem: 'public\n' }
const refusal = (code: string): unknown => expect.objectContaining({ code })
let folder: string
let files: KeyPairFiles

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'key-files-'))
  files = { privatePath: join(folder, 'a.key'), publicPath: join(folder, 'a.pub') }
})
afterEach(() => rm(folder, { recursive: true }))

const contents = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    await Promise.all((await readdir(folder)).map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  )

describe('writing a key pair', () => {
  it('leaves the two files and nothing else', async () => {
    await writeKeyPair(files, pair, { force: false })
    expect(await contents()).toEqual({ 'a.key': 'private\n', 'a.pub': 'public\n' })
  })

  it.skipIf(process.platform === 'win32')('lets nobody else read the private key', async () => {
    await writeFile(files.privatePath, 'old')
    await chmod(files.privatePath, 0o644)
    await writeKeyPair(files, pair, { force: true })
    expect((await stat(files.privatePath)).mode & 0o777).toBe(0o600)
    expect((await stat(files.publicPath)).mode & 0o777 & ~0o022).toBe(0o644)
  })

  it.each(['a.key', 'a.pub'])('never overwrites %s by accident, and then writes neither file', async (name) => {
    await writeFile(join(folder, name), 'old')
    await expect(writeKeyPair(files, pair, { force: false })).rejects.toThrow(refusal('file_exists'))
    expect(await contents()).toEqual({ [name]: 'old' })
  })

  it('overwrites when told to', async () => {
    await writeFile(files.privatePath, 'old')
    await writeKeyPair(files, pair, { force: true })
    expect(await contents()).toEqual({ 'a.key': 'private\n', 'a.pub': 'public\n' })
  })

  it('keeps the old pair when the second file cannot take its place', async () => {
    await writeFile(files.privatePath, 'old')
    const publicFolder = join(folder, 'dir')
    await mkdir(publicFolder)
    await writeFile(join(publicFolder, 'x'), '')
    await expect(writeKeyPair({ ...files, publicPath: publicFolder }, pair, { force: true })).rejects.toThrow(refusal('io_failed'))
    expect(await readdir(folder)).toEqual(['a.key', 'dir'])
    expect(await readFile(files.privatePath, 'utf8')).toBe('old')
  })

  it('refuses one name for both, and a folder that does not exist', async () => {
    await expect(writeKeyPair({ ...files, publicPath: files.privatePath }, pair, { force: true })).rejects.toThrow(refusal('usage'))
    const elsewhere = { privatePath: join(folder, 'none', 'a.key'), publicPath: files.publicPath }
    await expect(writeKeyPair(elsewhere, pair, { force: false })).rejects.toThrow(refusal('io_failed'))
    expect(await readdir(folder)).toEqual([])
  })

  it('of several writers at once, lets exactly one win, with its own two files', async () => {
    const writes = Array.from({ length: 8 }, (_, i) => writeKeyPair(files, { privatePem: `${i}`, publicPem: `${i}` }, { force: false }))
    const outcomes = await Promise.allSettled(writes)
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(1)
    const written = await contents()
    expect(Object.keys(written)).toEqual(['a.key', 'a.pub'])
    expect(written['a.key']).toBe(written['a.pub'])
  })
})
