import { constants, createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { utf8 } from '@countersign/core/bytes'
import { algorithmFor, defaultAlgorithm, type SignatureAlgorithm } from '@countersign/core/keys/algorithm'
import { signEd25519phDigest } from '@countersign/core/keys/digest-signature'
import { parsePublicKey, type PublicKey } from '@countersign/core/keys/public-key'
import type { Primitives } from '@countersign/core/primitives'
import { webPrimitives } from '@countersign/core/web-primitives'
import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../../src/crypto/node-primitives.ts'

const message = utf8('a message')
const digestOf = (algorithm: SignatureAlgorithm): Uint8Array => createHash(algorithm.hash).update(message).digest()
const publicKeyOf = (key: KeyObject): PublicKey => parsePublicKey(key.export({ format: 'der', type: 'spki' }))
const rsa = (modulusLength: number): { privateKey: KeyObject; publicKey: KeyObject } => generateKeyPairSync('rsa', { modulusLength })
const implementations: [string, Primitives][] = [
  ['node', nodePrimitives],
  ['web', webPrimitives(globalThis.crypto.subtle)],
]

describe.each(implementations)('the %s primitives', (_, primitives) => {
  const both = async (algorithm: SignatureAlgorithm, key: PublicKey, signature: Uint8Array): Promise<[boolean, boolean]> => [
    await primitives.verify(algorithm, key, message, signature),
    await primitives.verifyDigest(algorithm, key, digestOf(algorithm), signature),
  ]

  it.each(['sha256', 'sha384', 'sha512'] as const)('hash with %s, whole and in pieces', async (algorithm) => {
    const data = randomBytes(100_000)
    const expected = createHash(algorithm).update(data).digest('hex')
    expect(Buffer.from(await primitives.hash(algorithm, data)).toString('hex')).toBe(expected)
    const hasher = await primitives.hasher(algorithm)
    for (let i = 0; i < data.length; i += 7777) hasher.update(data.subarray(i, i + 7777))
    expect(Buffer.from(hasher.digest()).toString('hex')).toBe(expected)
  })

  it.each(['P-256', 'P-384', 'P-521'])('verify ECDSA on %s with each hash', async (namedCurve) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
    const key = publicKeyOf(publicKey)
    for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
      const signature = sign(hash, message, privateKey)
      expect(await both(algorithmFor(key, hash), key, signature)).toEqual([true, true])
      expect(await both(algorithmFor(key, hash === 'sha256' ? 'sha384' : 'sha256'), key, signature)).toEqual([false, false])
    }
  })

  it.each([2048, 2049, 3072, 4096])('verify RSA of %i bits, PKCS#1 v1.5 and PSS', async (bits) => {
    const { privateKey, publicKey } = rsa(bits)
    const key = publicKeyOf(publicKey)
    for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
      const pkcs1 = sign(hash, message, privateKey)
      const pss = sign(hash, message, {
        key: privateKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      })
      expect(await both(algorithmFor(key, hash), key, pkcs1)).toEqual([true, true])
      expect(await both(algorithmFor(key, hash, 'pss'), key, pss)).toEqual([true, true])
      expect(await both(algorithmFor(key, hash, 'pss'), key, pkcs1)).toEqual([false, false])
      expect(await both(algorithmFor(key, hash), key, pss)).toEqual([false, false])
    }
  })

  it('refuse RSA-PSS with a salt of another length', async () => {
    const { privateKey, publicKey } = rsa(2048)
    const key = publicKeyOf(publicKey)
    for (const saltLength of [0, 20, 64]) {
      const signature = sign('sha256', message, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
      expect(await both(algorithmFor(key, 'sha256', 'pss'), key, signature)).toEqual([false, false])
    }
  })

  it('refuse every RSA and ECDSA signature with one bit changed', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const rsa2048 = rsa(2048)
    for (const { privateKey, publicKey } of [ec, rsa2048]) {
      const key = publicKeyOf(publicKey)
      const signature = sign('sha256', message, privateKey)
      for (let at = 0; at < signature.length; at += 5) {
        const altered = signature.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte))
        expect(await both(defaultAlgorithm(key), key, altered)).toEqual([false, false])
      }
    }
  })

  it('answer false for signatures of absurd length', async () => {
    const keys = [generateKeyPairSync('ec', { namedCurve: 'P-256' }), rsa(2048), generateKeyPairSync('ed25519')]
    for (const { publicKey } of keys) {
      const key = publicKeyOf(publicKey)
      for (const length of [0, 1, 63, 65, 255, 257, 100_000]) {
        expect(await both(defaultAlgorithm(key), key, new Uint8Array(length))).toEqual([false, false])
        expect(await both(defaultAlgorithm(key), key, new Uint8Array(length).fill(0xff))).toEqual([false, false])
      }
    }
  })

  it('verify Ed25519 pure over messages, and prehashed over both', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const key = publicKeyOf(publicKey)
    const prehashed = algorithmFor(key, 'sha512')
    const pure = sign(null, message, privateKey)
    expect(await both(defaultAlgorithm(key), key, pure)).toEqual([true, false])
    expect(await both(prehashed, key, pure)).toEqual([false, false])
    const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
    const ph = await signEd25519phDigest(seed, digestOf(prehashed))
    expect(await both(prehashed, key, ph)).toEqual([true, true])
    expect(await both(defaultAlgorithm(key), key, ph)).toEqual([false, false])
  })

  it('give the answer of RFC 8032 §7.3 for Ed25519ph', async () => {
    const raw = 'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf'
    const key = parsePublicKey(Buffer.from(`302a300506032b6570032100${raw}`, 'hex'))
    const signature = Buffer.from(
      '98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406',
      'hex',
    )
    expect(await primitives.verify(algorithmFor(key, 'sha512'), key, utf8('abc'), signature)).toBe(true)
  })

  it('answer false for a point that is not on its curve', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const spki = publicKey.export({ format: 'der', type: 'spki' })
    spki[60] = (spki[60] as number) ^ 1
    const key = parsePublicKey(spki)
    expect(await both(defaultAlgorithm(key), key, sign('sha256', message, privateKey))).toEqual([false, false])
  })

  it('answer false when key and algorithm are of different kinds', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = publicKeyOf(ec.publicKey)
    const other = publicKeyOf(generateKeyPairSync('ed25519').publicKey)
    const signature = sign('sha256', message, ec.privateKey)
    expect(await both(defaultAlgorithm(other), key, signature)).toEqual([false, false])
    expect(await both(defaultAlgorithm(key), other, signature)).toEqual([false, false])
  })

  it('answer false for a digest of another length', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = publicKeyOf(publicKey)
    const signature = sign('sha256', message, privateKey)
    const padded = Buffer.concat([createHash('sha256').update(message).digest(), Buffer.alloc(1)])
    expect(await primitives.verifyDigest(defaultAlgorithm(key), key, padded, signature)).toBe(false)
  })
})
