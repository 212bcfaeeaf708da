/** One signature over many files, judged by the real cosign. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectExit, shown } from './command.ts'
import { makeWorld, type World } from './world.ts'

describe('one signature over many files', () => {
  let world: World
  let folder: string

  beforeAll(async () => {
    world = makeWorld()
    folder = join(world.folder, 'many-files')
    mkdirSync(join(folder, 'dist/docs'), { recursive: true })
    for (const [name, text] of [
      ['notes', 'one'],
      ['dist/app', 'two'],
      ['dist/docs/readme', 'three'],
      ['other', 'four'],
    ] as const)
      writeFileSync(join(folder, name), text)
    expectExit(await world.tool('ours', ['generate-key-pair'], { cwd: folder }), 0, 'generate-key-pair')
    const sign = ['sign-blob', '--key', 'cosign.key', '--bundle', 'all.json', 'notes', 'dist/']
    expectExit(await world.tool('ours', sign, { cwd: folder }), 0, 'sign-blob')
  })
  afterAll(() => world.remove())

  it.for(['notes', 'dist/app', 'dist/docs/readme'])('verifies with cosign verify-blob-attestation for %s', async (file) => {
    const args = [
      '--key',
      'cosign.pub',
      '--bundle',
      'all.json',
      '--type',
      'https://sigstore.dev/cosign/sign/v1',
      '--insecure-ignore-tlog',
      file,
    ]
    expect(shown(await world.tool('cosign', ['verify-blob-attestation', ...args], { cwd: folder }))).toBe('exit 0')
    expect(shown(await world.tool('ours', ['verify-blob', '--key', 'cosign.pub', '--bundle', 'all.json', file], { cwd: folder }))).toBe(
      'exit 0',
    )
  })

  it('may be an attestation too', async () => {
    const type = 'https://example.org/t/v1'
    const predicate = world.file('predicate.json', '{"n":1.10}')
    const attest = [
      'attest-blob',
      '--key',
      'cosign.key',
      '--type',
      type,
      '--predicate',
      predicate,
      '--bundle',
      'att.json',
      'notes',
      'dist/',
    ]
    expectExit(await world.tool('ours', attest, { cwd: folder }), 0, 'attest-blob')
    for (const tool of ['cosign', 'ours'] as const) {
      const args = ['--key', 'cosign.pub', '--bundle', 'att.json', '--type', type, '--insecure-ignore-tlog', 'dist/docs/readme']
      expect(shown(await world.tool(tool, ['verify-blob-attestation', ...args], { cwd: folder }))).toBe('exit 0')
    }
  })

  it('is refused by both for a file that it does not name', async () => {
    const args = [
      '--key',
      'cosign.pub',
      '--bundle',
      'all.json',
      '--type',
      'https://sigstore.dev/cosign/sign/v1',
      '--insecure-ignore-tlog',
      'other',
    ]
    expect((await world.tool('cosign', ['verify-blob-attestation', ...args], { cwd: folder })).code).not.toBe(0)
    expect((await world.tool('ours', ['verify-blob', '--key', 'cosign.pub', '--bundle', 'all.json', 'other'], { cwd: folder })).code).toBe(
      15,
    )
  })
})
