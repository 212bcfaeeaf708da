import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { encodePem } from '@countersign/core/pem'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { describe, expect, it } from 'vitest'
import { checkEncryptedKey, decryptPrivateKey, encryptPrivateKey } from '../../src/keys/encrypted-key.ts'
import { openSigner } from '../../src/keys/file-signer.ts'

const folder = vectorsFolder()
const refusal = (code: string): unknown => expect.objectContaining({ code })
const read = (name: string): string => readFileSync(join(folder as string, 'cosign-3.1.1', 'keys', name), 'utf8')
const label = 'ENCRYPTED SIGSTORE PRIVATE KEY'

type Document = {
  kdf: { name: string; params: { N: number; r: number; p: number }; salt: string }
  cipher: { name: string; nonce: string }
  ciphertext: string
}

/** What a key file holds. */
function open(pem: string): Document {
  return JSON.parse(Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64').toString()) as Document
}

/** A key file as cosign writes it, with something changed. */
function file(change: (document: Document) => void, as = label): string {
  const document: Document = {
    kdf: { name: 'scrypt', params: { N: 32_768, r: 8, p: 1 }, salt: randomBytes(32).toString('base64') },
    cipher: { name: 'nacl/secretbox', nonce: randomBytes(24).toString('base64') },
    ciphertext: randomBytes(154).toString('base64'),
  }
  change(document)
  return encodePem(as, utf8(JSON.stringify(document)))
}

describe.skipIf(folder === undefined)('an encrypted private key of cosign 3.1.1', () => {
  it.each([
    ['cosign.key', 'pw', 'cosign.pub'],
    ['other.key', 'pw2', 'other.pub'],
    ['nopw.key', '', 'nopw.pub'],
    ['imp-ec384.key', 'pw', 'imp-ec384.pub'],
    ['imp-ec521.key', 'pw', 'imp-ec521.pub'],
    ['imp-ed25519.key', 'pw', 'imp-ed25519.pub'],
    ['imp-rsa2048.key', 'pw', 'imp-rsa2048.pub'],
    ['imp-rsa3072-p8.key', 'pw', 'imp-rsa3072-p8.pub'],
    ['kdf-32768.key', 'pw', 'cosign.pub'],
    ['kdf-131072.key', 'pw', 'cosign.pub'],
  ])('%s opens and belongs to its public key', async (name, password, publicName) => {
    const signer = openSigner(await decryptPrivateKey(read(name), utf8(password)))
    expect(encodePublicKeyPem(signer.publicKey)).toBe(read(publicName))
    const message = utf8('a message')
    expect((await signer.signMessage(message)).length).toBeGreaterThan(60)
  })

  it('holds the PKCS#8 that cosign put in', async () => {
    const expected = readFileSync(join(folder as string, 'cosign-3.1.1', 'keys', 'cosign.key.decrypted-pkcs8.der'))
    expect(Buffer.from(await decryptPrivateKey(read('cosign.key'), utf8('pw'))).equals(expected)).toBe(true)
  })

  it('stays shut under another password', async () => {
    await expect(decryptPrivateKey(read('cosign.key'), utf8('pw2'))).rejects.toThrow(refusal('key_password_wrong'))
    await expect(decryptPrivateKey(read('nopw.key'), utf8('pw'))).rejects.toThrow(refusal('key_password_wrong'))
  })
})

describe('an encrypted private key', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pkcs8 = pair.privateKey.export({ format: 'der', type: 'pkcs8' })

  it('opens with the password that it was made with, and with no other', async () => {
    const pem = await encryptPrivateKey(pkcs8, utf8('correct horse'))
    expect(Buffer.from(await decryptPrivateKey(pem, utf8('correct horse'))).equals(pkcs8)).toBe(true)
    await expect(decryptPrivateKey(pem, utf8('wrong horse'))).rejects.toThrow(refusal('key_password_wrong'))
  })

  it('is written with the costs of cosign, never weaker, and with fresh salt and nonce', async () => {
    const pems = [await encryptPrivateKey(pkcs8, utf8('')), await encryptPrivateKey(pkcs8, utf8(''))]
    const documents = pems.map(open)
    for (const document of documents) expect(document.kdf).toMatchObject({ name: 'scrypt', params: { N: 65_536, r: 8, p: 1 } })
    expect(new Set(documents.flatMap(({ kdf, cipher }) => [kdf.salt, cipher.nonce])).size).toBe(4)
    expect(pems[0]).toMatch(/^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/)
  })

  it.each([0, 15, 16, 100, 153])('stays shut when byte %i of it was changed', async (at) => {
    const document = open(await encryptPrivateKey(pkcs8, utf8('pw')))
    const box = Buffer.from(document.ciphertext, 'base64')
    box[at] = (box[at] as number) ^ 1
    const pem = encodePem(label, utf8(JSON.stringify({ ...document, ciphertext: box.toString('base64') })))
    await expect(decryptPrivateKey(pem, utf8('pw'))).rejects.toThrow(refusal('key_password_wrong'))
  })

  it('is read under the label of old cosign too, and with members that nobody knows', () => {
    expect(() => checkEncryptedKey(file(() => {}, 'ENCRYPTED COSIGN PRIVATE KEY'))).not.toThrow()
    expect(() => checkEncryptedKey(file((document) => Object.assign(document, { note: 'mine' })))).not.toThrow()
  })

  it.each([
    ['N=1024, which is weak', { N: 1024 }],
    ['N=16384, which is weak', { N: 16_384 }],
    ['N=262144, which exhausts memory', { N: 262_144 }],
    ['N=2^40, which exhausts memory', { N: 2 ** 40 }],
    ['r=16', { r: 16 }],
    ['r=1, which is weak', { r: 1 }],
    ['p=2', { p: 2 }],
  ])('is refused with %s', async (_, params) => {
    const pem = file((document) => Object.assign(document.kdf.params, params))
    await expect(decryptPrivateKey(pem, utf8('pw'))).rejects.toThrow(refusal('key_unsupported'))
  })

  it.each<[string, (document: Document) => void, string]>([
    ['another key derivation', (d) => (d.kdf.name = 'pbkdf2'), 'key_unsupported'],
    ['another cipher', (d) => (d.cipher.name = 'aes'), 'key_unsupported'],
    ['a short nonce', (d) => (d.cipher.nonce = randomBytes(12).toString('base64')), 'key_malformed'],
    ['a short salt', (d) => (d.kdf.salt = randomBytes(8).toString('base64')), 'key_malformed'],
    ['a salt that is not base64', (d) => (d.kdf.salt = '*'), 'key_malformed'],
    ['no ciphertext', (d) => (d.ciphertext = ''), 'key_malformed'],
    ['a fraction as cost', (d) => (d.kdf.params.N = 65_536.5), 'key_malformed'],
    ['a cost as text', (d) => Object.assign(d.kdf.params, { N: '65536' }), 'key_malformed'],
    ['no key derivation', (d) => Object.assign(d, { kdf: undefined }), 'key_malformed'],
  ])('is refused with %s', (_, change, code) => {
    expect(() => checkEncryptedKey(file(change))).toThrow(refusal(code))
  })

  it('needs a password where an empty one does not open it', async () => {
    const pem = await encryptPrivateKey(new Uint8Array(64), utf8('pw'))
    await expect(decryptPrivateKey(pem, utf8(''))).rejects.toThrow(refusal('key_password_missing'))
  })

  it('shorter than its tag stays shut', async () => {
    const pem = file((document) => (document.ciphertext = 'AAAA'))
    await expect(decryptPrivateKey(pem, utf8('pw'))).rejects.toThrow(refusal('key_password_wrong'))
  })

  it('is not what a plain private key is, nor a public one; the failure says what to do', () => {
    const hint = (pem: string): unknown => {
      try {
        return checkEncryptedKey(pem)
      } catch (error) {
        return error
      }
    }
    expect(hint(encodePem('PRIVATE KEY', pkcs8))).toMatchObject({
      code: 'key_unsupported',
      hint: expect.stringContaining('import-key-pair'),
    })
    const publicPem = pair.publicKey.export({ format: 'pem', type: 'spki' }).toString()
    expect(hint(publicPem)).toMatchObject({ code: 'key_unsupported', found: 'PUBLIC KEY' })
  })

  it('is one block, of a sensible size', () => {
    expect(() => checkEncryptedKey(file(() => {}) + file(() => {}))).toThrow(refusal('pem_malformed'))
    expect(() => checkEncryptedKey('x'.repeat(100_000))).toThrow(refusal('pem_malformed'))
    expect(() => checkEncryptedKey('')).toThrow(refusal('pem_malformed'))
  })

  it('never shows the password or the key in a failure', async () => {
    const pem = await encryptPrivateKey(pkcs8, utf8('tr0ub4dor'))
    const failure = await decryptPrivateKey(pem, utf8('tr0ub4dor-2')).catch((error: unknown) => error)
    expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('tr0ub4dor')
  })
})
