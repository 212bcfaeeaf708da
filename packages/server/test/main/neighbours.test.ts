import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkServing } from '@countersign/server/main/plan'
import { serve } from '@countersign/server/main/serve'
import { requestFor, serveIn, testFolder } from './starting.ts'

const modeOf = (path: string): number => statSync(path).mode & 0o777
const failsWith = (code: string, message: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string })

/** What a neighbour may do with each file and folder of an installation, beyond public keys. */
function openTo(data: string, bits: number): readonly string[] {
  const paths = readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => !/\.pub$|^countersign\.lock|^blobs\//.test(name))
  return paths.filter((name) => (modeOf(join(data, name)) & bits) !== 0)
}

describe('attack: another account of the machine', { timeout: 60_000 }, () => {
  it('may neither read nor write anything of a new installation, also in a folder that was there and open', async () => {
    for (const mode of [undefined, 0o755, 0o777]) {
      const data = join(testFolder(), 'data')
      if (mode !== undefined) {
        mkdirSync(data)
        chmodSync(data, mode)
      }
      const lines: string[] = []
      const serving = await serveIn(data, { log: { write: (line) => lines.push(line), isTerminal: false } })
      expect([mode, modeOf(data), openTo(data, 0o077)]).toEqual([mode, 0o700, []])
      expect(lines.join('')).not.toContain('other accounts')
      await serving.stop()
    }
  })

  it('that may write an installation, or its keys, keeps it from being served, and from being checked', async () => {
    const data = join(testFolder(), 'data')
    await (await serveIn(data)).stop()
    for (const name of ['', 'keys', 'passphrase', 'database.sqlite', 'installation.json', 'blobs', 'keys/tsa-1.key']) {
      const path = join(data, name)
      const before = modeOf(path)
      chmodSync(path, before | 0o002)
      await expect(serve(requestFor(data))).rejects.toThrow(failsWith('data_folder_exposed', path))
      await expect(checkServing(requestFor(data))).rejects.toThrow(failsWith('data_folder_exposed', path))
      chmodSync(path, before)
    }
    await (await serveIn(data)).stop()
  })

  it('that may read its secrets is warned of, in one line, when it starts and when it is checked', async () => {
    const folder = testFolder()
    const data = join(folder, 'data')
    await (await serveIn(data)).stop()
    for (const name of ['', 'passphrase', 'keys/tsa-1.key']) chmodSync(join(data, name), 0o755)
    const { warnings } = await checkServing(requestFor(data))
    expect(warnings).toEqual([
      expect.stringMatching(/^other accounts of this machine may read .*data, .*passphrase, .*tsa-1\.key: run "chmod /),
    ])
    const lines: string[] = []
    await serveIn(data, { log: { write: (line) => lines.push(line), isTerminal: false } })
    expect(lines.filter((line) => line.includes('other accounts'))).toHaveLength(1)
  })

  it('that may read a passphrase which is kept elsewhere is warned of too', async () => {
    const folder = testFolder()
    writeFileSync(join(folder, 'words'), 'a passphrase of the test', { mode: 0o600 })
    const asked = { passphrase: `file:${join(folder, 'words')}` }
    expect((await checkServing(requestFor(join(folder, 'data'), asked))).warnings).toEqual([])
    chmodSync(join(folder, 'words'), 0o640)
    expect((await checkServing(requestFor(join(folder, 'data'), asked))).warnings).toEqual([expect.stringContaining(join(folder, 'words'))])
    chmodSync(join(folder, 'words'), 0o606)
    await expect(serve(requestFor(join(folder, 'data'), asked))).rejects.toThrow(failsWith('data_folder_exposed', 'words'))
  })
})

describe('a check before serving', () => {
  it('warns where a proxy hides who calls, so that all would wait for the wrong passwords of one', async () => {
    const data = join(testFolder(), 'data')
    const behind = { publicUrl: 'https://sign.example.org', listen: '127.0.0.1:1' }
    expect((await checkServing(requestFor(data, behind))).warnings).toEqual([expect.stringContaining('trustedProxies')])
    expect((await checkServing(requestFor(data))).warnings).toEqual([])
    const config = join(data, '..', 'server.yaml')
    writeFileSync(config, 'trustedProxies: [127.0.0.1]\n')
    expect((await checkServing(requestFor(data, { ...behind, config }))).warnings).toEqual([])
  })

  const key = 'other.example.org+0a0b0c0d+AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g'
  it.each([
    ['a verifier key of a log whose hash is not that of the key', { witnessFor: [key] }, 'key_malformed'],
    ['one of a witness', { witness: { witnesses: [{ key, url: 'https://other.example.org/witness' }] } }, 'key_malformed'],
    ['a witness policy that is not there', { witness: { policy: '/nowhere/policy' } }, 'file_not_found'],
    ['a known key that is not there', { admission: 'known', knownKeys: ['/nowhere/key.pem'] }, 'file_not_found'],
  ])('finds %s, as serving would', async (_, log, code) => {
    const folder = testFolder()
    const config = join(folder, 'server.yaml')
    writeFileSync(config, JSON.stringify({ log }))
    await expect(checkServing(requestFor(join(folder, 'data'), { config }))).rejects.toMatchObject({ code })
  })
})
