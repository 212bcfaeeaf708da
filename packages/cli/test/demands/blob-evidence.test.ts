import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyBlobCommand } from '../../src/commands/verify-blob.ts'
import { readBlobEvidence } from '../../src/demands/blob-evidence.ts'
import { invocationOf } from './invocation.ts'

let folder: string
let file: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-evidence-'))
  file = join(folder, 'file')
  writeFileSync(`${file}.sigstore.json`, 'a bundle')
  writeFileSync(join(folder, 'other.json'), 'another bundle')
  writeFileSync(join(folder, 'file.sig'), 'a signature')
})
afterAll(() => rmSync(folder, { recursive: true }))

async function evidenceOf(named: string | undefined, bundle: string | undefined, ...argv: string[]): Promise<string> {
  const { parts } = await readBlobEvidence(invocationOf(verifyBlobCommand, argv).invocation, named, bundle)
  return Buffer.from(parts.evidence).toString()
}

describe('what came beside a file', () => {
  it('is the bundle that is named, else the detached signature, else the bundle beside the file', async () => {
    expect(await evidenceOf(file, join(folder, 'other.json'))).toBe('another bundle')
    expect(await evidenceOf(file, undefined, '--signature', join(folder, 'file.sig'))).toBe('a signature')
    expect(await evidenceOf(file, undefined)).toBe('a bundle')
  })

  it('is one of them: a bundle and a detached signature contradict each other', async () => {
    const both = evidenceOf(file, join(folder, 'other.json'), '--signature', join(folder, 'file.sig'))
    await expect(both).rejects.toMatchObject({ code: 'usage' })
  })

  it('is a signature in base64 where no file has that name', async () => {
    const base64 = Buffer.alloc(64, 1).toString('base64')
    expect(await evidenceOf(file, undefined, '--signature', base64)).toBe(base64)
    await expect(evidenceOf(file, undefined, '--signature', 'nowhere.sig')).rejects.toMatchObject({ code: 'file_not_found' })
  })

  it('is missing: a file without anything is unsigned, and of stdin it must be said where its signature is', async () => {
    await expect(evidenceOf(join(folder, 'unsigned'), undefined)).rejects.toMatchObject({ code: 'no_signature' })
    await expect(evidenceOf('-', undefined)).rejects.toMatchObject({ code: 'usage' })
    await expect(evidenceOf(undefined, undefined)).rejects.toMatchObject({ code: 'usage' })
  })
})
