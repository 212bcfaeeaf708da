import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { itemsFromFlags } from '../../src/batch/items.ts'
import { verifyCommand } from '../../src/commands/verify.ts'
import { verifyBlobCommand } from '../../src/commands/verify-blob.ts'
import { invocationOf } from '../demands/invocation.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-items-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('attack: somebody empties what is verified', () => {
  it('a folder without a file is no success, beside one with files neither', async () => {
    const [empty, full] = [join(folder, 'empty'), join(folder, 'full')]
    for (const path of [empty, full]) mkdirSync(path)
    writeFileSync(join(full, 'a'), 'a')
    for (const argv of [[empty], [full, empty], ['-f', empty]]) {
      await expect(itemsFromFlags(invocationOf(verifyBlobCommand, argv).invocation, 'file')).rejects.toMatchObject({
        code: 'batch_malformed',
      })
    }
  })

  it('nor is one that holds nothing but the signatures of all files', async () => {
    const bundle = join(folder, 'all.sigstore.json')
    writeFileSync(bundle, '{}')
    const { invocation } = invocationOf(verifyBlobCommand, ['--bundle', bundle, folder])
    await expect(itemsFromFlags(invocation, 'file')).rejects.toMatchObject({ code: 'batch_malformed' })
  })

  it('nor is a list or a folder in which everything is skipped', async () => {
    const [scratch, links] = [join(folder, 'Dockerfile'), join(folder, 'links')]
    writeFileSync(scratch, 'FROM scratch\nCOPY a /\n')
    mkdirSync(links)
    symlinkSync('.', join(links, 'self'))
    const image = invocationOf(verifyCommand, ['-f', scratch]).invocation
    await expect(itemsFromFlags(image, 'container')).rejects.toMatchObject({ code: 'images_missing' })
    for (const argv of [[links], ['-f', links]]) {
      const { invocation } = invocationOf(verifyBlobCommand, argv)
      await expect(itemsFromFlags(invocation, 'file')).rejects.toMatchObject({ code: 'images_missing' })
    }
  })
})

describe('attack: a batch manifest brings signers or trust of its own', () => {
  const list = (defaults: string): string => {
    const path = join(folder, 'batch.yaml')
    const entries = '  - { type: file, path: a, public_key: evil.pub }\n  - { type: file, path: b }\n'
    writeFileSync(path, `version: 1\n${defaults}artifacts:\n${entries}`)
    return path
  }
  const warned = async (argv: readonly string[]): Promise<readonly string[]> => {
    const { invocation, said } = invocationOf(verifyBlobCommand, argv)
    await itemsFromFlags(invocation, 'file')
    return said
  }

  it('in the place of those that were typed, which is said once, with the number of artifacts', async () => {
    for (const [flag, value] of [
      ['key', 'team.pub'],
      ['policy', 'p.yaml'],
      ['certificate-identity', 'me'],
      ['trusted-root', 'root.json'],
    ]) {
      const path = list('')
      expect(await warned([`--${flag}`, `${value}`, '-f', path])).toEqual([
        `WARNING: ${path}: 1 of 2 artifacts name their own signers or trust, which count before --${flag}`,
      ])
    }
    const [line] = await warned(['--key', 'team.pub', '-f', list('defaults: { trustRoot: evil.json }\n')])
    expect(line).toContain('2 of 2 artifacts')
    expect(await warned(['-f', list('')])).toEqual([])
  })
})
