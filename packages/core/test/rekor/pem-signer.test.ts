import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { documentPlace } from '../../src/json/shape.ts'
import { readPemSigner, type PemSigner } from '../../src/rekor/pem-signer.ts'
import { newKey } from './entries.ts'

const at = documentPlace('here', 'log_entry_malformed')
const read = (pem: string): PemSigner => readPemSigner(at, new Uint8Array(Buffer.from(pem)))
const text = ({ canonical }: PemSigner): string => Buffer.from(canonical).toString()
const failsWith = (message: string): unknown =>
  expect.objectContaining({ code: 'log_entry_malformed', message: expect.stringContaining(message) as string })

describe('the signer of a Rekor v1 entry', () => {
  it('has one spelling, whatever was sent: no second entry for a second spelling', () => {
    const { pem } = newKey()
    for (const spelt of [pem, pem.trim(), pem.replaceAll('\n', '\r\n'), `\n\n${pem}\n`, `Some text before\n${pem}`])
      expect(text(read(spelt))).toBe(pem)
  })

  it('that is an RSA key in its older form is kept in the common one', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const older = publicKey.export({ type: 'pkcs1', format: 'pem' }) as string
    expect(older).toContain('BEGIN RSA PUBLIC KEY')
    const signer = read(older)
    expect([signer.signer.kind, text(signer)]).toEqual(['public-key', publicKey.export({ type: 'spki', format: 'pem' })])
  })

  it.each([
    ['nothing', '', 'PEM'],
    ['two keys', newKey().pem + newKey().pem, 'more than one public key'],
    [
      'a private key',
      generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      'neither a public key nor a certificate',
    ],
    ['a label that lies', newKey().pem.replaceAll('PUBLIC KEY', 'CERTIFICATE'), 'not a certificate'],
    ['more than 64 KiB', 'x'.repeat(70_000), '70000 bytes'],
    ['no PEM', 'hello', 'PEM'],
  ])('that is %s is refused', (_, pem, message) => {
    expect(() => read(pem)).toThrow(failsWith(message))
  })
})
