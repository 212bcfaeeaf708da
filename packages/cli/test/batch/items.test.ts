import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { itemsFromFlags } from '../../src/batch/items.ts'
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
})
