import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { utf8 } from '@countersign/core/bytes'
import { verifyMessage } from '@countersign/server/base/crypto/primitives'
import { type FileKeys, fileKeyStore } from '@countersign/server/base/keys/key-files'
import { createVault } from '@countersign/server/base/keys/vault'

const passphrase = utf8('correct horse')
const root = mkdtempSync(join(tmpdir(), 'countersign-keys-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folders = 0

async function newKeys(): Promise<FileKeys & { readonly folder: string }> {
  const folder = join(root, `keys-${folders++}`)
  await createVault(folder, passphrase)
  return { ...(await fileKeyStore(folder, passphrase)), folder }
}

const failsWith = (code: string): unknown => expect.objectContaining({ code })

describe('keys in sealed files', () => {
  it('sign as their public keys verify, also after they were opened again', async () => {
    const { keys, folder } = await newKeys()
    for (const type of ['ec-p256', 'ec-p384', 'ed25519', 'rsa-2048'] as const) {
      const made = await keys.create(`role-${type}`, type)
      const opened = await (await fileKeyStore(folder, passphrase)).keys.open(`role-${type}`)
      const signature = await opened.sign(utf8('message'))
      expect(verifyMessage(made.algorithm, made.publicKey, utf8('message'), signature)).toBe(true)
    }
    expect(await keys.names()).toEqual(['role-ec-p256', 'role-ec-p384', 'role-ed25519', 'role-rsa-2048'])
  })

  it('are readable by their own account alone, and hold no private key in clear', async () => {
    const { keys, folder } = await newKeys()
    await keys.create('tsa-1', 'ec-p256')
    const pkcs8 = Buffer.from(await keys.exportPrivateKey('tsa-1'))
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, 'tsa-1.key')).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'vault.json')).mode & 0o777).toBe(0o600)
    const sealed = Buffer.from(readFileSync(join(folder, 'tsa-1.key'), 'utf8').split('\n').slice(1, -2).join(''), 'base64')
    expect(sealed.includes(pkcs8.subarray(30, 60))).toBe(false)
    expect(readdirSync(folder).filter((file) => file.endsWith('.new'))).toEqual([])
  })

  it('never replace each other: a name that is taken is refused, and the key that has it stays', async () => {
    const { keys } = await newKeys()
    const first = await keys.create('ct-1', 'ec-p256')
    await expect(keys.create('ct-1', 'ec-p256')).rejects.toThrow(failsWith('key_exists'))
    expect((await keys.open('ct-1')).publicKey.spki).toEqual(first.publicKey.spki)
  })

  it('are never made by opening them', async () => {
    const { keys, folder } = await newKeys()
    await expect(keys.open('ct-1')).rejects.toThrow(failsWith('key_missing'))
    expect(readdirSync(folder)).toEqual(['vault.json'])
  })

  it('keep their public key on record when the private one goes offline, and their name is not given again', async () => {
    const { keys, folder } = await newKeys()
    await keys.create('ca-root', 'ec-p384')
    await keys.remove('ca-root')
    expect(existsSync(join(folder, 'ca-root.pub'))).toBe(true)
    await expect(keys.open('ca-root')).rejects.toThrow(/only its public key/)
    await expect(keys.create('ca-root', 'ec-p384')).rejects.toThrow(failsWith('key_exists'))
    expect(await keys.names()).toEqual([])
  })

  it('survive a crash between their two files: the public one is written again', async () => {
    const { keys, folder } = await newKeys()
    const made = await keys.create('ct-1', 'ec-p256')
    unlinkSync(join(folder, 'ct-1.pub'))
    expect((await keys.open('ct-1')).publicKey.spki).toEqual(made.publicKey.spki)
    expect(existsSync(join(folder, 'ct-1.pub'))).toBe(true)
  })

  it('refuse names that leave the folder or hide in it', async () => {
    const { keys } = await newKeys()
    for (const name of ['../x', '.x', 'a/b', '', 'A', 'a.b'])
      await expect(keys.create(name, 'ec-p256')).rejects.toThrow(failsWith('internal'))
  })
})

describe('an attack on sealed keys', () => {
  it('that guesses the passphrase is told nothing but that it is wrong', async () => {
    const { folder } = await newKeys()
    await expect(fileKeyStore(folder, utf8('wrong'))).rejects.toThrow(failsWith('key_password_wrong'))
    await expect(fileKeyStore(folder, utf8(''))).rejects.toThrow(failsWith('key_password_missing'))
  })

  it('that gives one key the name of another is refused', async () => {
    const { keys, folder } = await newKeys()
    await keys.create('tsa-1', 'ec-p256')
    copyFileSync(join(folder, 'tsa-1.key'), join(folder, 'ct-1.key'))
    await expect(keys.open('ct-1')).rejects.toThrow(failsWith('data_folder_damaged'))
  })

  it('that changes a byte, cuts the end or replaces the public key is refused', async () => {
    const { keys, folder } = await newKeys()
    const path = join(folder, 'tsa-1.key')
    await keys.create('tsa-1', 'ec-p256')
    await keys.create('tsa-2', 'ec-p256')
    const text = readFileSync(path, 'utf8')
    for (const changed of [text.replace(/[A-Z]{1}(?=[a-z0-9]{2})/, '9'), text.slice(0, 60), '']) {
      writeFileSync(path, changed)
      await expect(keys.open('tsa-1')).rejects.toThrow(failsWith('data_folder_damaged'))
    }
    writeFileSync(path, text)
    copyFileSync(join(folder, 'tsa-2.pub'), join(folder, 'tsa-1.pub'))
    await expect(keys.open('tsa-1')).rejects.toThrow(/not the public key/)
  })

  it('that lowers the costs of scrypt or damages the vault is refused', async () => {
    const { folder } = await newKeys()
    const path = join(folder, 'vault.json')
    const text = readFileSync(path, 'utf8')
    for (const changed of [text.replace('65536', '2'), text.replace('"version": 1', '"version": 2'), text.slice(0, 20)]) {
      writeFileSync(path, changed)
      await expect(fileKeyStore(folder, passphrase)).rejects.toThrow(failsWith('data_folder_damaged'))
    }
    unlinkSync(path)
    await expect(fileKeyStore(folder, passphrase)).rejects.toThrow(/vault\.json is missing/)
  })
})

describe('a vault', () => {
  it('that is there is not replaced', async () => {
    const { folder } = await newKeys()
    expect(await createVault(folder, utf8('another'))).toBe(false)
    await expect(fileKeyStore(folder, passphrase)).resolves.toBeDefined()
  })
})

describe('the box for small secrets', () => {
  it('opens what it sealed under the same words, in the same installation, and nothing else', async () => {
    const { secrets } = await newKeys()
    const sealed = secrets.seal('cookie', utf8('secret'))
    expect(secrets.open('cookie', sealed)).toEqual(utf8('secret'))
    const damaged = failsWith('secret_damaged')
    expect(() => secrets.open('other', sealed)).toThrow(damaged)
    expect(() => secrets.open('cookie', sealed.subarray(1))).toThrow(damaged)
    expect(() => secrets.open('cookie', new Uint8Array())).toThrow(damaged)
    const { secrets: others } = await newKeys()
    expect(() => others.open('cookie', sealed)).toThrow(damaged)
  })
})
