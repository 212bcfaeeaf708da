import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '@countersign/core/bytes'
import { pkcs11KeyStore, splitKeyStore, type TokenKeys } from '../../../src/base/keys/pkcs11-keys.ts'
import { fileKeyStore } from '../../../src/base/keys/key-files.ts'
import { createVault } from '../../../src/base/keys/vault.ts'
import { verifyMessage } from '../../../src/base/crypto/primitives.ts'

const peers = process.env['COUNTERSIGN_PEERS'] ?? join(homedir(), '.cache/countersign-peers')
const roots = ['', peers]
const module = roots.map((root) => `${root}/usr/lib/softhsm/libsofthsm2.so`).find((path) => existsSync(path))
const tool = roots.map((root) => `${root}/usr/bin/softhsm2-util`).find((path) => existsSync(path))
const there = module !== undefined && tool !== undefined
if (!there && process.env['CI'] !== 'true') console.warn('SoftHSM2 is not here: scripts/install-peers softhsm2 libsofthsm2 puts it there')

const withCode = (code: string): unknown => expect.objectContaining({ code })

// In CI its absence is a failure.
describe.skipIf(!there && process.env['CI'] !== 'true')('keys on a token (SoftHSM2)', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-token-'))
  const opened: TokenKeys[] = []

  beforeAll(() => {
    mkdirSync(join(folder, 'tokens'))
    writeFileSync(join(folder, 'softhsm2.conf'), `directories.tokendir = ${folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`)
    process.env['SOFTHSM2_CONF'] = join(folder, 'softhsm2.conf')
    const words = ['--module', module ?? '', '--init-token', '--free', '--label', 'services', '--pin', '1234', '--so-pin', '5678']
    const { status, stderr } = spawnSync(tool ?? 'softhsm2-util', words, { encoding: 'utf8' })
    if (status !== 0) throw new TypeError(`softhsm2-util: ${stderr}`)
  })
  afterEach(async () => {
    for (const { close } of opened.splice(0)) await close()
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  function token(more: { readonly pin?: string; readonly token?: string } = {}): TokenKeys {
    const keys = pkcs11KeyStore({ module: module ?? '', token: more.token ?? 'services', pin: async () => more.pin ?? '1234' })
    opened.push(keys)
    return keys
  }

  it.each(['ec-p256', 'ec-p384'] as const)('sign as others verify, many at a time, and are found by the next process: %s', async (type) => {
    const made = await token().keys.create(`ct-${type.slice(-1)}`, type)
    const messages = Array.from({ length: 40 }, (_, i) => utf8(`message ${i}`))
    const signatures = await Promise.all(messages.map(async (message) => made.sign(message)))
    for (const [i, signature] of signatures.entries()) {
      expect(verifyMessage(made.algorithm, made.publicKey, messages[i]!, signature)).toBe(true)
    }
    const next = token()
    expect(await next.keys.names()).toContain(made.name)
    expect((await next.keys.open(made.name)).publicKey.spki).toEqual(made.publicKey.spki)
  })

  it('are never made anew, nor given out', async () => {
    const { keys } = token()
    await keys.create('tsa-1', 'ec-p256')
    await expect(keys.create('tsa-1', 'ec-p256')).rejects.toThrow(withCode('key_exists'))
    await expect(keys.open('tsa-9')).rejects.toThrow(withCode('key_missing'))
    await expect(keys.exportPrivateKey('tsa-1')).rejects.toThrow(withCode('key_not_exportable'))
    await expect(keys.create('rekor2-9', 'ed25519')).rejects.toThrow(withCode('key_unsupported'))
    await keys.remove('tsa-1')
    await expect(keys.open('tsa-1')).rejects.toThrow(withCode('key_missing'))
  })

  it('go on after the signer process died: what it was asked for is refused, what comes after is signed', async () => {
    const { keys, pid } = token()
    const key = await keys.create('rekor1-1', 'ec-p256')
    const before = pid() ?? 0
    const asked = Promise.allSettled(Array.from({ length: 50 }, async () => key.sign(utf8('x'))))
    process.kill(before, 'SIGKILL')
    const refused = (await asked).flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []))
    expect(refused).toEqual(refused.map(() => withCode('signer_unavailable')))
    await expect
      .poll(
        async () =>
          Promise.resolve(key.sign(utf8('y'))).then(
            () => 'signed',
            () => 'refused',
          ),
        { timeout: 10_000 },
      )
      .toBe('signed')
    expect(pid()).not.toBe(before)
  })

  it('refuse a wrong PIN once, and do not try it again: tokens lock themselves', async () => {
    const { keys } = token({ pin: '9999' })
    await expect(keys.names()).rejects.toThrow(withCode('key_password_wrong'))
    await expect(keys.names()).rejects.toThrow(withCode('key_password_wrong'))
    await expect(token({ token: 'another' }).keys.names()).rejects.toThrow(withCode('key_missing'))
  })

  it('are kept beside keys in files, by role', async () => {
    const vault = join(folder, 'keys')
    await createVault(vault, utf8('passphrase'))
    const files = (await fileKeyStore(vault, utf8('passphrase'))).keys
    const { keys } = token()
    const split = splitKeyStore(files, keys, ['ca-intermediate'])
    await split.create('ca-intermediate-1', 'ec-p256')
    await split.create('rekor2-1', 'ed25519')
    expect(await files.names()).toEqual(['rekor2-1'])
    expect(await split.names()).toEqual(['ca-intermediate-1', 'rekor2-1'])
    expect((await split.open('ca-intermediate-1')).publicKey.type).toBe('ec-p256')
  })
})
