import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { utf8 } from '@countersign/core/bytes'
import { algorithmFor, defaultAlgorithm, digestAlgorithmFor, withP1363 } from '@countersign/core/keys/algorithm'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { equalSecrets, hashBytes, serverPrimitives, signMessage, verifyMessage } from '@countersign/server/base/crypto/primitives'

const pairs = {
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  Ed25519: generateKeyPairSync('ed25519'),
  RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }),
}
const message = utf8('what is signed')

describe('signatures of the server', () => {
  for (const [name, { privateKey, publicKey }] of Object.entries(pairs)) {
    const key = parsePublicKey(new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })))
    const algorithms = [defaultAlgorithm(key), ...(key.type === 'rsa' ? [algorithmFor(key, 'sha256', 'pss')] : [])]
    for (const algorithm of key.type === 'ec-p256' ? [...algorithms, withP1363(algorithms[0]!)] : algorithms) {
      it(`hold for the message that was signed, and for no other (${name}, ${algorithm.name} ${algorithm.encoding ?? ''})`, async () => {
        const signature = await signMessage(algorithm, privateKey, message)
        expect(verifyMessage(algorithm, key, message, signature)).toBe(true)
        expect(await serverPrimitives.verify(algorithm, key, message, signature)).toBe(true)
        expect(verifyMessage(algorithm, key, utf8('another'), signature)).toBe(false)
        expect(verifyMessage(algorithm, key, message, signature.subarray(1))).toBe(false)
        // Pure Ed25519 signs no digest.
        const ofDigest = await serverPrimitives.verifyDigest(algorithm, key, hashBytes(algorithm.hash, message), signature)
        expect(ofDigest).toBe(algorithm.scheme !== 'ed25519')
      })
    }
  }

  it('are refused when the key is a point off the curve', async () => {
    const key = parsePublicKey(new Uint8Array(pairs['P-256'].publicKey.export({ format: 'der', type: 'spki' })))
    const signature = await signMessage(defaultAlgorithm(key), pairs['P-256'].privateKey, message)
    const spki = key.spki.slice()
    spki[spki.length - 1]! ^= 1
    expect(verifyMessage(defaultAlgorithm(key), parsePublicKey(spki), message, signature)).toBe(false)
  })

  it('are not made with Ed25519ph, which OpenSSL does not have', async () => {
    const key = parsePublicKey(new Uint8Array(pairs.Ed25519.publicKey.export({ format: 'der', type: 'spki' })))
    const unsupported = expect.objectContaining({ code: 'algorithm_unsupported' })
    await expect(signMessage(digestAlgorithmFor(key), pairs.Ed25519.privateKey, message)).rejects.toThrow(unsupported)
    expect(() => verifyMessage(digestAlgorithmFor(key), key, message, new Uint8Array(64))).toThrow(unsupported)
  })
})

describe('hashes of the server', () => {
  it('are the same in one piece and in several', async () => {
    const hasher = await serverPrimitives.hasher('sha256')
    hasher.update(message.subarray(0, 5))
    hasher.update(message.subarray(5))
    expect(hasher.digest()).toEqual(hashBytes('sha256', message))
  })
})

describe('secrets', () => {
  it('are equal when length and bytes are', () => {
    expect(equalSecrets(utf8('abc'), utf8('abc'))).toBe(true)
    expect(equalSecrets(utf8('abc'), utf8('abd'))).toBe(false)
    expect(equalSecrets(utf8('abc'), utf8('abcd'))).toBe(false)
  })
})
