import { generateKeyPairSync, sign } from 'node:crypto'
import { assert, boolean, integer, nat, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToHex, concatBytes, hexToBytes } from '../../src/bytes.ts'
import type { SignatureAlgorithm } from '../../src/keys/algorithm.ts'
import { coordinateLength, type EcKeyType, ecdsaSignatureToDer, readEcdsaSignature } from '../../src/keys/ecdsa-signature.ts'

const algorithm = (key: EcKeyType, encoding: 'der' | 'p1363' = 'der'): SignatureAlgorithm => ({
  name: 'PKIX_ECDSA_P256_SHA_256',
  key,
  scheme: 'ecdsa',
  hash: 'sha256',
  encoding,
})
const curves = [
  ['P-256', 'ec-p256'],
  ['P-384', 'ec-p384'],
  ['P-521', 'ec-p521'],
] as const
const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
const one = '0'.repeat(63) + '1'

describe('an ECDSA signature', () => {
  it.each(curves)('of OpenSSL on %s goes from DER to fixed width and back', (namedCurve, type) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve })
    for (let i = 0; i < 50; i++) {
      const der = sign('sha256', Buffer.from(`message ${i}`), privateKey)
      const fixed = readEcdsaSignature(algorithm(type), der)
      expect(fixed?.length).toBe(2 * coordinateLength[type])
      expect(bytesToHex(ecdsaSignatureToDer(fixed as Uint8Array))).toBe(bytesToHex(der))
      expect(readEcdsaSignature(algorithm(type, 'p1363'), fixed as Uint8Array)).toEqual(fixed)
    }
  })

  it('has one spelling: what is read would be written as the same bytes', () => {
    const der = ecdsaSignatureToDer(hexToBytes(one.repeat(2)))
    const wrong: string[] = []
    assert(
      property(nat(der.length + 2), integer({ min: 0, max: 255 }), boolean(), (at, byte, insert) => {
        const mutant = insert
          ? concatBytes(der.subarray(0, at), Uint8Array.of(byte), der.subarray(at))
          : der.map((old, i) => (i === at ? byte : old))
        const fixed = readEcdsaSignature(algorithm('ec-p256'), mutant)
        if (fixed !== undefined && bytesToHex(ecdsaSignatureToDer(fixed)) !== bytesToHex(mutant)) wrong.push(bytesToHex(mutant))
      }),
      { numRuns: 2000 },
    )
    expect(wrong).toEqual([])
  })

  it.each([
    ['zero as r', '0'.repeat(64) + one],
    ['zero as s', one + '0'.repeat(64)],
    ['the order as r', order + one],
    ['the order as s', one + order],
    ['a missing byte', (one + one).slice(2)],
    ['a further byte', `${one}${one}00`],
    ['nothing', ''],
  ])('with %s is refused', (_, hex) => {
    expect(readEcdsaSignature(algorithm('ec-p256', 'p1363'), hexToBytes(hex))).toBeUndefined()
  })

  it.each([
    ['a long-form length', '308106020101020101'],
    ['a length of two bytes', '30820006020101020101'],
    ['an indefinite length', '30800201010201010000'],
    ['a padded r', '30070202000102 0101'.replace(' ', '')],
    ['a negative r', '300602018102010 1'.replace(' ', '')],
    ['an empty r', '30050200020101'],
    ['bytes after the end', '300602010102010100'],
    ['a third integer', '3009020101020101020101'],
    ['a set in place of the sequence', '3106020101020101'],
    ['an r wider than the curve', `30280223${'01'.repeat(35)}020101`],
    ['an end inside r', '300402010102'],
  ])('in DER with %s is refused', (_, hex) => {
    expect(readEcdsaSignature(algorithm('ec-p256'), hexToBytes(hex))).toBeUndefined()
  })

  it('is none of a key that is not on a curve', () => {
    expect(readEcdsaSignature({ ...algorithm('ec-p256'), key: 'rsa' }, hexToBytes('3006020101020101'))).toBeUndefined()
  })
})
