import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { utf8 } from '@countersign/core/bytes'
import { derInteger, derOctetString, derOid, derSequence } from '@countersign/core/der/writer'
import { encodePem } from '@countersign/core/pem'
import { describe, expect, it } from 'vitest'
import { decryptPrivateKey, encryptPrivateKey } from '../../src/keys/encrypted-key.ts'
import { openSigner } from '../../src/keys/file-signer.ts'
import { importPrivateKey } from '../../src/keys/import-key.ts'

const refusal = (code: string): unknown => expect.objectContaining({ code })
const password = utf8('pw')
const pem = (key: KeyObject, type: 'pkcs1' | 'pkcs8' | 'sec1'): Uint8Array => utf8(key.export({ format: 'pem', type }).toString())
const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey
const rsa = (modulusLength: number, publicExponent = 65_537): KeyObject =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey
const p256 = ec('P-256')
const rsa2048 = rsa(2048)

describe('importing a private key', () => {
  it.each<[string, Uint8Array]>([
    ['ECDSA on P-256 as SEC 1', pem(p256, 'sec1')],
    ['ECDSA on P-256 as PKCS#8', pem(p256, 'pkcs8')],
    ['ECDSA on P-384 as SEC 1', pem(ec('P-384'), 'sec1')],
    ['ECDSA on P-521 as PKCS#8', pem(ec('P-521'), 'pkcs8')],
    ['RSA of 2048 bits as PKCS#1', pem(rsa2048, 'pkcs1')],
    ['RSA of 3072 bits as PKCS#8', pem(rsa(3072), 'pkcs8')],
    ['RSA of 4096 bits as PKCS#1', pem(rsa(4096), 'pkcs1')],
    ['Ed25519 as PKCS#8', pem(generateKeyPairSync('ed25519').privateKey, 'pkcs8')],
    ['what openssl ecparam -genkey writes, parameters first', utf8(encodePem('EC PARAMETERS', utf8('x')) + Buffer.from(pem(p256, 'sec1')))],
  ])('takes %s', async (_, input) => {
    const pair = await importPrivateKey({ pem: input, password })
    const signer = openSigner(await decryptPrivateKey(pair.privatePem, password))
    expect((await signer.signMessage(utf8('a message'))).length).toBeGreaterThan(60)
    expect(pair.publicPem).toMatch(/^-----BEGIN PUBLIC KEY-----\n/)
  })

  it('keeps the key', async () => {
    const pair = await importPrivateKey({ pem: pem(p256, 'sec1'), password })
    const expected = p256.export({ format: 'der', type: 'pkcs8' })
    expect(Buffer.from(await decryptPrivateKey(pair.privatePem, password)).equals(expected)).toBe(true)
  })

  it('takes an encrypted PKCS#8 with its password, and not with another or none', async () => {
    const input = utf8(p256.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'open' }).toString())
    await expect(importPrivateKey({ pem: input, inputPassword: utf8('open'), password })).resolves.toHaveProperty('privatePem')
    await expect(importPrivateKey({ pem: input, inputPassword: utf8('shut'), password })).rejects.toThrow(refusal('key_password_wrong'))
    await expect(importPrivateKey({ pem: input, password })).rejects.toThrow(refusal('key_password_missing'))
  })

  it('refuses an encrypted PKCS#8 whose iterations would take hours', async () => {
    const parameters = derSequence(derOctetString(new Uint8Array(16)), derInteger(2 ** 31))
    const kdf = derSequence(derOid('1.2.840.113549.1.5.12'), parameters)
    const hostile = derSequence(derSequence(derOid('1.2.840.113549.1.5.13'), derSequence(kdf)), derOctetString(new Uint8Array(16)))
    await expect(
      importPrivateKey({ pem: utf8(encodePem('ENCRYPTED PRIVATE KEY', hostile)), inputPassword: utf8('open'), password }),
    ).rejects.toThrow(refusal('key_unsupported'))
  })

  it.each<[string, () => Uint8Array]>([
    ['secp256k1', () => pem(ec('secp256k1'), 'sec1')],
    ['P-224', () => pem(ec('P-224'), 'pkcs8')],
    ['RSA of 1024 bits', () => pem(rsa(1024), 'pkcs1')],
    ['RSA of 2560 bits, which cosign refuses', () => pem(rsa(2560), 'pkcs8')],
    ['RSA with the exponent 3, which cosign refuses', () => pem(rsa(2048, 3), 'pkcs8')],
    ['Ed448', () => pem(generateKeyPairSync('ed448').privateKey, 'pkcs8')],
    ['RSA restricted to PSS', () => pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey, 'pkcs8')],
    ['a public key', () => utf8(encodePem('PUBLIC KEY', new Uint8Array(4)))],
    ['an OpenSSH key', () => utf8(encodePem('OPENSSH PRIVATE KEY', new Uint8Array(4)))],
  ])('refuses %s', async (_, input) => {
    await expect(importPrivateKey({ pem: input(), password })).rejects.toThrow(refusal('key_unsupported'))
  })

  it('refuses what is already encrypted for signing, and says that it can be used', async () => {
    const input = utf8(await encryptPrivateKey(new Uint8Array(32), password))
    await expect(importPrivateKey({ pem: input, password })).rejects.toMatchObject({
      code: 'key_unsupported',
      hint: expect.stringContaining('use it as it is'),
    })
  })

  it('refuses a file with two keys, none, or damaged ones', async () => {
    const one = Buffer.from(pem(p256, 'pkcs8')).toString()
    await expect(importPrivateKey({ pem: utf8(one + one), password })).rejects.toThrow(refusal('pem_malformed'))
    await expect(importPrivateKey({ pem: utf8('nothing'), password })).rejects.toThrow(refusal('pem_malformed'))
    await expect(importPrivateKey({ pem: new Uint8Array(100_000), password })).rejects.toThrow(refusal('pem_malformed'))
    await expect(importPrivateKey({ pem: utf8(encodePem('PRIVATE KEY', new Uint8Array(40))), password })).rejects.toThrow(
      refusal('key_malformed'),
    )
  })

  it('refuses a key whose public half is another key’s: whoever published it would vouch for a stranger', async () => {
    const mine = Buffer.from(p256.export({ format: 'der', type: 'sec1' }))
    const theirs = Buffer.from(ec('P-256').export({ format: 'der', type: 'sec1' }))
    mine.set(theirs.subarray(-64), mine.length - 64)
    await expect(importPrivateKey({ pem: utf8(encodePem('EC PRIVATE KEY', mine)), password })).rejects.toThrow(refusal('key_malformed'))
  })
})
