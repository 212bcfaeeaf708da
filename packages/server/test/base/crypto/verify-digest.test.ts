import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hexToBytes } from '@countersign/core/bytes'
import { algorithmFor, defaultAlgorithm, digestAlgorithmFor, withP1363 } from '@countersign/core/keys/algorithm'
import { signEd25519phDigest, verifyEcdsaDigest } from '@countersign/core/keys/digest-signature'
import { readEcdsaSignature } from '@countersign/core/keys/ecdsa-signature'
import { parsePublicKey, type PublicKey } from '@countersign/core/keys/public-key'
import { hashBytes } from '@countersign/server/base/crypto/primitives'
import { verifyDigest } from '@countersign/server/base/crypto/verify-digest'
import { vectorsFolder } from '@countersign/testkit/vectors'

const folder = vectorsFolder()
const files = [
  ['ecdsa_secp256r1_sha256_test.json', 174],
  ['ecdsa_secp256r1_sha256_p1363_test.json', 173],
  ['ecdsa_secp384r1_sha384_test.json', 194],
  ['rsa_signature_2048_sha256_test.json', 9],
] as const
type Group = { publicKeyDer: string; tests: { tcId: number; msg: string; sig: string; result: string }[] }

function readKey(publicKey: ReturnType<typeof generateKeyPairSync>['publicKey']): PublicKey {
  return parsePublicKey(new Uint8Array((publicKey as unknown as { export: (o: object) => Buffer }).export({ type: 'spki', format: 'der' })))
}

describe.skipIf(folder === undefined)('Wycheproof over digests', () => {
  it.each(files)('answers every vector of %s as it must', async (name, valid) => {
    const { testGroups } = JSON.parse(readFileSync(join(folder as string, 'wycheproof', name), 'utf8')) as { testGroups: Group[] }
    const wrong: number[] = []
    let accepted = 0
    for (const group of testGroups) {
      const key = parsePublicKey(hexToBytes(group.publicKeyDer))
      const algorithm = name.includes('p1363') ? withP1363(defaultAlgorithm(key)) : defaultAlgorithm(key)
      for (const vector of group.tests) {
        const digest = hashBytes(algorithm.hash, hexToBytes(vector.msg))
        const holds = await verifyDigest(algorithm, key, digest, hexToBytes(vector.sig))
        if (holds) accepted++
        if (holds !== (vector.result === 'valid')) wrong.push(vector.tcId)
      }
    }
    expect({ accepted, wrong }).toEqual({ accepted: valid, wrong: [] })
  })
})

describe('ECDSA over a digest, composed', () => {
  it.each(['P-256', 'P-384', 'P-521'])('says what noble says, for signatures and for what is made of them (%s)', async (namedCurve) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve })
    const key = readKey(publicKey)
    const flip = fc.record({ what: fc.constantFrom('nothing', 'digest', 'r', 's'), at: fc.nat(), bit: fc.nat(7) })
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 40 }),
        fc.constantFrom('sha256' as const, 'sha384' as const, 'sha512' as const),
        flip,
        async (message, hash, { what, at, bit }) => {
          const algorithm = withP1363(algorithmFor(key, hash))
          const digest = hashBytes(algorithm.hash, message)
          const signature = new Uint8Array(sign(hash, message, { key: privateKey, dsaEncoding: 'ieee-p1363' }))
          const half = signature.length / 2
          const target = what === 'digest' ? digest : what === 'r' ? signature.subarray(0, half) : signature.subarray(half)
          if (what !== 'nothing') target[at % target.length] = (target[at % target.length] as number) ^ (1 << bit)
          const holds = await verifyDigest(algorithm, key, digest, signature)
          const expected = await verifyEcdsaDigest(algorithm, key, digest, signature)
          expect([holds, holds || what !== 'nothing']).toEqual([expected, true])
        },
      ),
      { numRuns: 12 },
    )
  })

  it('takes a digest of zeros, for which the base point has no part in it', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = readKey(publicKey)
    const algorithm = withP1363(defaultAlgorithm(key))
    const digest = new Uint8Array(32)
    // With r = x(Q) and s = r, R is 1·Q: whoever knows no private key can make this one, and only for a digest of zeros.
    const x = key.raw.subarray(1, 33)
    const signature = Buffer.concat([x, x])
    const possible = readEcdsaSignature(algorithm, signature) !== undefined
    expect(await verifyDigest(algorithm, key, digest, signature)).toBe(possible)
    expect(await verifyEcdsaDigest(algorithm, key, digest, signature)).toBe(possible)
  })

  it('refuses a point off the curve, another curve, a digest of another length', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = readKey(publicKey)
    const algorithm = defaultAlgorithm(key)
    const digest = createHash('sha256').update('x').digest()
    const signature = sign('sha256', Buffer.from('x'), privateKey)
    expect(await verifyDigest(algorithm, key, digest, signature)).toBe(true)
    const raw = key.raw.slice()
    raw[64] = (raw[64] as number) ^ 1
    expect(await verifyDigest(algorithm, { ...key, raw }, digest, signature)).toBe(false)
    expect(await verifyDigest(algorithm, key, digest.subarray(1), signature)).toBe(false)
    const other = readKey(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey)
    expect(await verifyDigest(algorithm, other, digest, signature)).toBe(false)
  })

  it('verifies Ed25519ph, and no pure Ed25519', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const key = readKey(publicKey)
    const digest = hashBytes('sha512', Buffer.from('x'))
    const seed = new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32))
    expect(await verifyDigest(digestAlgorithmFor(key), key, digest, await signEd25519phDigest(seed, digest))).toBe(true)
    const pure = sign(null, Buffer.from('x'), privateKey)
    expect(await verifyDigest(digestAlgorithmFor(key), key, digest, pure)).toBe(false)
    expect(await verifyDigest(defaultAlgorithm(key), key, digest, pure)).toBe(false)
  })
})
