import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  algorithmByName,
  algorithmFor,
  candidateAlgorithms,
  defaultAlgorithm,
  digestAlgorithmFor,
  suits,
  withP1363,
} from '../../src/keys/algorithm.ts'
import { parsePublicKey, type PublicKey } from '../../src/keys/public-key.ts'

const read = (key: KeyObject): PublicKey => parsePublicKey(key.export({ format: 'der', type: 'spki' }))
const ec = (namedCurve: string): PublicKey => read(generateKeyPairSync('ec', { namedCurve }).publicKey)
const rsa = (modulusLength: number): PublicKey => read(generateKeyPairSync('rsa', { modulusLength }).publicKey)
const ed25519 = read(generateKeyPairSync('ed25519').publicKey)
const [p256, p384, p521, rsa2048] = [ec('P-256'), ec('P-384'), ec('P-521'), rsa(2048)]

describe('the table of algorithms', () => {
  it('takes the hash from the key when nothing else is said', () => {
    expect([p256, p384, p521, rsa2048, ed25519].map((key) => defaultAlgorithm(key).name)).toEqual([
      'PKIX_ECDSA_P256_SHA_256',
      'PKIX_ECDSA_P384_SHA_384',
      'PKIX_ECDSA_P521_SHA_512',
      'PKIX_RSA_PKCS1V15_2048_SHA256',
      'PKIX_ED25519',
    ])
  })

  it('signs a digest as a message, except with Ed25519, which takes Ed25519ph', () => {
    expect(digestAlgorithmFor(p384)).toEqual(defaultAlgorithm(p384))
    expect(digestAlgorithmFor(ed25519)).toMatchObject({ name: 'PKIX_ED25519_PH', hash: 'sha512' })
  })

  it('takes the hash that a bundle names', () => {
    expect(algorithmFor(p384, 'sha256')).toEqual({
      name: 'PKIX_ECDSA_P384_SHA_256',
      key: 'ec-p384',
      scheme: 'ecdsa',
      hash: 'sha256',
      encoding: 'der',
    })
    expect(algorithmFor(p256, 'sha512').name).toBe('PKIX_ECDSA_P256_SHA_512')
    expect(algorithmFor(rsa2048, 'sha384').name).toBe('PKIX_RSA_PKCS1V15_2048_SHA384')
    expect(algorithmFor(rsa2048, 'sha256', 'pss')).toMatchObject({ name: 'PKIX_RSA_PSS_2048_SHA256', scheme: 'rsa-pss' })
    expect(algorithmFor(ed25519, 'sha512').scheme).toBe('ed25519ph')
  })

  it('refuses Ed25519 with a hash other than SHA-512', () => {
    expect(() => algorithmFor(ed25519, 'sha256')).toThrow(expect.objectContaining({ code: 'algorithm_unsupported' }))
  })

  it('tries Ed25519 pure and prehashed over DSSE, and pure alone over simple signing', () => {
    expect(candidateAlgorithms(ed25519, 'dsse').map((row) => row.scheme)).toEqual(['ed25519', 'ed25519ph'])
    expect(candidateAlgorithms(ed25519, 'simple-signing').map((row) => row.scheme)).toEqual(['ed25519'])
  })

  it('tries both paddings of RSA, which one key may have signed with', () => {
    expect(candidateAlgorithms(rsa2048, 'dsse').map((row) => row.scheme)).toEqual(['rsa-pkcs1v15', 'rsa-pss'])
  })

  it('tries the hash of the curve before the SHA-256 of old cosign', () => {
    expect(candidateAlgorithms(p384, 'dsse').map((row) => row.hash)).toEqual(['sha384', 'sha256'])
    expect(candidateAlgorithms(p256, 'dsse').map((row) => row.hash)).toEqual(['sha256'])
  })

  it('finds every name of Sigstore that it supports, and gives back what it names', () => {
    const names = ['P256_SHA_256', 'P384_SHA_384', 'P521_SHA_512', 'P384_SHA_256', 'P521_SHA_256'].map((name) => `PKIX_ECDSA_${name}`)
    const sizes = ['2048', '3072', '4096'].flatMap((size) => [`PKIX_RSA_PKCS1V15_${size}_SHA256`, `PKIX_RSA_PSS_${size}_SHA256`])
    for (const name of [...names, ...sizes, 'PKIX_ED25519', 'PKIX_ED25519_PH']) expect(algorithmByName(name)?.name).toBe(name)
    for (const key of [p256, p384, p521, rsa2048, ed25519])
      expect(algorithmByName(defaultAlgorithm(key).name)).toEqual(defaultAlgorithm(key))
  })

  it.each(['PKIX_ECDSA_P256_SHA_512', 'PKIX_RSA_PKCS1V15_2048_SHA512', 'PKIX_RSA_PKCS1V15_1024_SHA256', 'ML_DSA_65', '', 'PKIX_ED25519 '])(
    'knows no algorithm called "%s" in a trusted root',
    (name) => {
      expect(algorithmByName(name)).toBeUndefined()
    },
  )

  it('says whether an algorithm is one of a key', () => {
    expect(suits(defaultAlgorithm(p256), p256)).toBe(true)
    expect(suits(defaultAlgorithm(p256), p384)).toBe(false)
    expect(suits({ name: 'PKIX_RSA_PKCS1V15_4096_SHA256', key: 'rsa', scheme: 'rsa-pkcs1v15', hash: 'sha256' }, rsa2048)).toBe(false)
    expect(suits(defaultAlgorithm(rsa(3000)), rsa2048)).toBe(true)
  })

  it('changes the encoding of ECDSA signatures alone', () => {
    expect(withP1363(defaultAlgorithm(p256)).encoding).toBe('p1363')
    expect(withP1363(defaultAlgorithm(ed25519))).toEqual(defaultAlgorithm(ed25519))
  })
})
