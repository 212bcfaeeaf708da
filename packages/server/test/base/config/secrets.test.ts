import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { fromUtf8 } from '@countersign/core/bytes'
import {
  describePassphraseSource,
  generatedPassphraseNotice,
  readPassphrase,
  typedPassphraseSource,
} from '@countersign/server/base/config/passphrase'
import { formatSecretReference, parseSecretReference, resolveSecret } from '@countersign/server/base/config/reference'

const folder = mkdtempSync(join(tmpdir(), 'countersign-secrets-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const missing = expect.objectContaining({ code: 'config_reference_missing' })

describe('a secret by reference', () => {
  it('is a file, a variable or a systemd credential, and nothing else', () => {
    for (const text of ['file:/run/secret', 'env:NAME', 'credential:passphrase']) {
      const reference = parseSecretReference(text)
      expect(reference === undefined ? undefined : formatSecretReference(reference)).toBe(text)
    }
    for (const text of ['', 'hunter2', 'file:', 'env:1A', 'env:A B', 'credential:../x', 'credential:a/b', 'vault:x', 'FILE:/x'])
      expect(parseSecretReference(text)).toBeUndefined()
  })

  it('is read without the line break at its end', async () => {
    const environment = { CREDENTIALS_DIRECTORY: folder, SECRET: 'in the environment' }
    const path = file('secret', 'in a file\n')
    file('windows', 'in a file\r\n')
    const texts = [`file:${path}`, 'credential:secret', 'credential:windows', 'env:SECRET'].map(async (text) =>
      fromUtf8(await resolveSecret(parseSecretReference(text)!, { environment })),
    )
    expect(await Promise.all(texts)).toEqual(['in a file', 'in a file', 'in a file', 'in the environment'])
  })

  it('that is not there, or empty, or far too large, is refused by its name', async () => {
    const environment = { CREDENTIALS_DIRECTORY: folder, EMPTY: '' }
    file('empty', '\n')
    file('large', 'x'.repeat(70_000))
    for (const text of ['file:/nowhere/x', 'credential:absent', 'credential:empty', 'credential:large', 'env:EMPTY', 'env:ABSENT'])
      await expect(resolveSecret(parseSecretReference(text)!, { environment })).rejects.toThrow(missing)
    await expect(resolveSecret({ kind: 'credential', name: 'x' }, { environment: {} })).rejects.toThrow(/not started by systemd/)
  })
})

describe('the passphrase of the keys', () => {
  it('is named on a command line, and one that is typed there is refused without showing it', () => {
    expect(typedPassphraseSource('prompt')).toEqual({ kind: 'prompt' })
    expect(typedPassphraseSource('env:NAME')).toEqual({ kind: 'reference', reference: { kind: 'env', name: 'NAME' } })
    expect(() => typedPassphraseSource('hunter2')).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.not.stringContaining('hunter2') as string }),
    )
  })

  const generated = { kind: 'generated' } as const

  it('is made by the first start when nothing else is configured, readable by this account alone, and used from then on', async () => {
    const data = mkdtempSync(join(folder, 'data-'))
    const first = await readPassphrase(generated, data, { environment: {} }, true)
    expect(statSync(join(data, 'passphrase')).mode & 0o777).toBe(0o600)
    expect(fromUtf8(first)).toBe(readFileSync(join(data, 'passphrase'), 'utf8').trim())
    expect(await readPassphrase(generated, data, { environment: {} }, true)).toEqual(first)
    expect(await readPassphrase(generated, data, { environment: {} }, false)).toEqual(first)
    expect(describePassphraseSource(generated, data)).toBe(`file:${data}/passphrase`)
  })

  it('that is lost is an error that names its file, never a new one', async () => {
    const data = mkdtempSync(join(folder, 'data-'))
    await readPassphrase(generated, data, { environment: {} }, true)
    unlinkSync(join(data, 'passphrase'))
    await expect(readPassphrase(generated, data, { environment: {} }, false)).rejects.toThrow(
      expect.objectContaining({ code: 'data_folder_damaged', message: expect.stringContaining('passphrase is missing') as string }),
    )
    expect(existsSync(join(data, 'passphrase'))).toBe(false)
  })

  it('says what it protects, and what not', () => {
    expect(generatedPassphraseNotice('/data')).toMatch(/protects a copy of the keys alone, not one of the whole folder/)
  })

  it('is asked for at a terminal, twice the first time', async () => {
    const answers = ['one', 'one', 'one', 'one', 'two', '']
    const ask = async (): Promise<string> => answers.shift() ?? ''
    const access = { environment: {}, ask }
    const prompt = { kind: 'prompt' } as const
    expect(fromUtf8(await readPassphrase(prompt, folder, access, true))).toBe('one')
    expect(fromUtf8(await readPassphrase(prompt, folder, access, false))).toBe('one')
    await expect(readPassphrase(prompt, folder, access, true)).rejects.toThrow(/differ/)
    await expect(readPassphrase(prompt, folder, access, false)).rejects.toThrow(/empty/)
  })

  it('is not waited for where there is nobody to ask', async () => {
    await expect(readPassphrase({ kind: 'prompt' }, folder, { environment: {} }, false)).rejects.toThrow(
      expect.objectContaining({ code: 'key_password_missing' }),
    )
  })
})
