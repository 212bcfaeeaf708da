import { constants, createHash, createPublicKey, generateKeyPairSync, verify as opensslVerify } from 'node:crypto'
import { concatBytes, utf8 } from '@countersign/core/bytes'
import { parsePublicKeyPem } from '@countersign/core/keys/public-key'
import type { Primitives } from '@countersign/core/primitives'
import { webPrimitives } from '@countersign/core/web-primitives'
import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../../src/crypto/node-primitives.ts'
import { decryptPrivateKey } from '../../src/keys/encrypted-key.ts'
import { openSigner, signerOf } from '../../src/keys/file-signer.ts'
import { generatedKeyTypes, generateKeyPair } from '../../src/keys/generate.ts'
import { ofHandle } from '../../src/keys/private-key.ts'

const message = utf8('a message')
const refusal = (code: string): unknown => expect.objectContaining({ code })
const implementations: readonly Primitives[] = [nodePrimitives, webPrimitives(globalThis.crypto.subtle)]

describe.each(generatedKeyTypes)('a new key pair of type %s', (type) => {
  it('signs messages and digests that every implementation verifies', { timeout: 60_000 }, async () => {
    const { privatePem, publicPem } = await generateKeyPair({ type, password: utf8('pw') })
    const signer = openSigner(await decryptPrivateKey(privatePem, utf8('pw')))
    expect(parsePublicKeyPem(publicPem)).toEqual(signer.publicKey)
    const digest = createHash(signer.digestAlgorithm.hash).update(message).digest()
    const [ofMessage, ofDigest] = [await signer.signMessage(message), await signer.signDigest(digest)]
    for (const { verify, verifyDigest } of implementations) {
      expect(await verify(signer.messageAlgorithm, signer.publicKey, message, ofMessage)).toBe(true)
      expect(await verify(signer.digestAlgorithm, signer.publicKey, message, ofDigest)).toBe(true)
      expect(await verifyDigest(signer.digestAlgorithm, signer.publicKey, digest, ofDigest)).toBe(true)
      expect(await verify(signer.messageAlgorithm, signer.publicKey, concatBytes(message, message), ofMessage)).toBe(false)
    }
    const key = { key: createPublicKey(publicPem), padding: constants.RSA_PKCS1_PADDING }
    const hash = type === 'ed25519' ? null : signer.messageAlgorithm.hash
    const opensslKey = type.startsWith('rsa') ? key : key.key
    // OpenSSL has no Ed25519ph to compare with.
    expect(opensslVerify(hash, message, opensslKey, ofMessage)).toBe(true)
    expect(opensslVerify(hash, message, opensslKey, ofDigest)).toBe(type !== 'ed25519')
  })
})

describe('a signer', () => {
  it('never signs twice with one ECDSA nonce', async () => {
    const signer = signerOf(ofHandle(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey))
    const digest = createHash('sha256').update(message).digest()
    const signatures = await Promise.all(Array.from({ length: 4 }, () => signer.signDigest(digest)))
    expect(new Set(signatures.map((signature) => Buffer.from(signature).subarray(4, 36).toString('hex'))).size).toBe(4)
  })

  it('gives out no signature of a key whose public half is another key’s', async () => {
    const [one, other] = [generateKeyPairSync('ec', { namedCurve: 'P-256' }), generateKeyPairSync('ec', { namedCurve: 'P-256' })]
    const mixed = { handle: one.privateKey, publicKey: ofHandle(other.privateKey).publicKey }
    await expect(signerOf(mixed).signMessage(message)).rejects.toThrow(refusal('key_mismatch'))
    await expect(signerOf(mixed).signDigest(createHash('sha256').update(message).digest())).rejects.toThrow(refusal('key_mismatch'))
  })

  it('signs only digests of its own hash', async () => {
    const signer = signerOf(ofHandle(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey))
    await expect(signer.signDigest(new Uint8Array(32))).rejects.toThrow(refusal('internal'))
  })

  it('opens over no key that the platform does not take', () => {
    const pkcs8 = (namedCurve: string): Uint8Array =>
      generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'der', type: 'pkcs8' })
    expect(() => openSigner(pkcs8('secp256k1'))).toThrow(refusal('key_unsupported'))
    expect(() => openSigner(pkcs8('P-256').subarray(1))).toThrow(refusal('key_malformed'))
    expect(() => openSigner(new Uint8Array())).toThrow(refusal('key_malformed'))
  })
})
