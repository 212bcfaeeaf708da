import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseDer } from '../../src/der/reader.ts'
import { derExplicit, derInteger, derNull, derOid, derSequence } from '../../src/der/writer.ts'
import type { AlgorithmName } from '../../src/keys/algorithm.ts'
import { parsePublicKey, type PublicKey } from '../../src/keys/public-key.ts'
import { hashOfIdentifier, readAlgorithmIdentifier, signatureAlgorithmOf } from '../../src/x509/algorithm-identifier.ts'
import { algorithmOid } from '../../src/x509/oids.ts'

const keyOf = (pair: ReturnType<typeof generateKeyPairSync>): PublicKey =>
  parsePublicKey(new Uint8Array(pair.publicKey.export({ type: 'spki', format: 'der' })))
const keys = {
  p256: keyOf(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
  p384: keyOf(generateKeyPairSync('ec', { namedCurve: 'P-384' })),
  rsa: keyOf(generateKeyPairSync('rsa', { modulusLength: 2048 })),
  ed25519: keyOf(generateKeyPairSync('ed25519')),
}

const identifier = (oid: string, ...parameters: readonly Uint8Array[]): Uint8Array => derSequence(derOid(oid), ...parameters)

function nameOf(der: Uint8Array, key: PublicKey): AlgorithmName | undefined {
  return signatureAlgorithmOf(readAlgorithmIdentifier(parseDer(der)), key)?.name
}

type PssChange = {
  readonly hash?: string
  readonly mask?: string
  readonly maskOid?: string
  readonly salt?: number
  readonly trailer?: number
}

/** RSASSA-PSS with SHA-256 throughout, changed as wanted. */
function pss({ hash = algorithmOid.sha256, mask = hash, maskOid = algorithmOid.mgf1, salt = 32, trailer }: PssChange = {}): Uint8Array {
  return identifier(
    algorithmOid.rsassaPss,
    derSequence(
      derExplicit(0, identifier(hash, derNull())),
      derExplicit(1, identifier(maskOid, identifier(mask, derNull()))),
      derExplicit(2, derInteger(salt)),
      ...(trailer === undefined ? [] : [derExplicit(3, derInteger(trailer))]),
    ),
  )
}

describe('the algorithm of a signature', () => {
  it('takes its hash from the identifier and its curve or size from the key', () => {
    expect(nameOf(identifier(algorithmOid.ecdsaWithSha256), keys.p384)).toBe('PKIX_ECDSA_P384_SHA_256')
    expect(nameOf(identifier(algorithmOid.ecdsaWithSha384), keys.p384)).toBe('PKIX_ECDSA_P384_SHA_384')
    expect(nameOf(identifier(algorithmOid.sha512WithRsa, derNull()), keys.rsa)).toBe('PKIX_RSA_PKCS1V15_2048_SHA512')
    expect(nameOf(identifier(algorithmOid.sha256WithRsa), keys.rsa)).toBe('PKIX_RSA_PKCS1V15_2048_SHA256')
    expect(nameOf(identifier(algorithmOid.ed25519), keys.ed25519)).toBe('PKIX_ED25519')
  })

  it('may be RSASSA-PSS with one hash throughout and a salt of its length', () => {
    expect(nameOf(pss(), keys.rsa)).toBe('PKIX_RSA_PSS_2048_SHA256')
    expect(nameOf(pss({ hash: algorithmOid.sha512, salt: 64, trailer: 1 }), keys.rsa)).toBe('PKIX_RSA_PSS_2048_SHA512')
  })

  const foreign: readonly (readonly [string, Uint8Array, PublicKey])[] = [
    ['an RSA algorithm under an EC key', identifier(algorithmOid.sha256WithRsa, derNull()), keys.p256],
    ['an EC algorithm under an RSA key', identifier(algorithmOid.ecdsaWithSha256), keys.rsa],
    ['an EC algorithm under an Ed25519 key', identifier(algorithmOid.ecdsaWithSha512), keys.ed25519],
    ['Ed25519 under an EC key', identifier(algorithmOid.ed25519), keys.p256],
    ['RSASSA-PSS under an EC key', pss(), keys.p256],
    ['ECDSA with parameters', identifier(algorithmOid.ecdsaWithSha256, derNull()), keys.p256],
    ['Ed25519 with parameters', identifier(algorithmOid.ed25519, derNull()), keys.ed25519],
    ['PKCS#1 v1.5 with parameters other than NULL', identifier(algorithmOid.sha256WithRsa, derSequence()), keys.rsa],
    ['ECDSA with SHA-1', identifier('1.2.840.10045.4.1'), keys.p256],
    ['RSA with SHA-1', identifier('1.2.840.113549.1.1.5', derNull()), keys.rsa],
    ['RSASSA-PSS without parameters, which means SHA-1', identifier(algorithmOid.rsassaPss), keys.rsa],
    ['RSASSA-PSS with empty parameters, which mean SHA-1', identifier(algorithmOid.rsassaPss, derSequence()), keys.rsa],
    ['RSASSA-PSS with another hash for the mask', pss({ mask: algorithmOid.sha384 }), keys.rsa],
    ['RSASSA-PSS with SHA-1 for the mask', pss({ mask: '1.3.14.3.2.26' }), keys.rsa],
    ['RSASSA-PSS with another mask function', pss({ maskOid: '1.2.3' }), keys.rsa],
    ['RSASSA-PSS with a short salt', pss({ salt: 20 }), keys.rsa],
    ['RSASSA-PSS with another trailer', pss({ trailer: 2 }), keys.rsa],
  ]
  it.each(foreign)('does not exist for %s', (_, der, key) => {
    expect(nameOf(der, key)).toBeUndefined()
  })
})

describe('the hash that an identifier names', () => {
  it('is SHA-256, SHA-384 or SHA-512, with NULL or without parameters', () => {
    const hashOf = (der: Uint8Array): string | undefined => hashOfIdentifier(readAlgorithmIdentifier(parseDer(der)))
    expect(hashOf(identifier(algorithmOid.sha256))).toBe('sha256')
    expect(hashOf(identifier(algorithmOid.sha512, derNull()))).toBe('sha512')
    expect(hashOf(identifier(algorithmOid.sha384, derInteger(1)))).toBeUndefined()
    expect(hashOf(identifier('1.3.14.3.2.26'))).toBeUndefined()
  })
})
