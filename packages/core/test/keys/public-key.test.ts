import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { assert, integer, nat, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToHex, concatBytes, hexToBytes } from '../../src/bytes.ts'
import { derBitString, derInteger, derNull, derOid, derSequence } from '../../src/der/writer.ts'
import { CountersignError } from '../../src/failure.ts'
import {
  encodePublicKeyPem,
  keyFingerprint,
  keyHint,
  parsePkcs1PublicKey,
  parsePublicKey,
  parsePublicKeyPem,
  rsaNumbers,
} from '../../src/keys/public-key.ts'
import { encodePem } from '../../src/pem.ts'
import { webPrimitives } from '../../src/web-primitives.ts'

const der = (key: KeyObject): Uint8Array => new Uint8Array(key.export({ format: 'der', type: 'spki' }))
const ec = (namedCurve: string): Uint8Array => der(generateKeyPairSync('ec', { namedCurve }).publicKey)
const p256 = ec('P-256')
const rsa2048 = der(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)
const primitives = webPrimitives(globalThis.crypto.subtle)
const refusal = (code: string): unknown => expect.objectContaining({ code })

/** An RSA key from numbers, without making one. */
function rsaSpki(modulus: bigint, exponent: bigint, parameters: Uint8Array = derNull()): Uint8Array {
  const key = derSequence(derInteger(modulus), derInteger(exponent))
  return derSequence(derSequence(derOid('1.2.840.113549.1.1.1'), parameters), derBitString(key))
}
const odd = (bits: number): bigint => (1n << BigInt(bits - 1)) + 1n

describe('a public key', () => {
  it.each([
    ['P-256', 'ec-p256', 65],
    ['P-384', 'ec-p384', 97],
    ['P-521', 'ec-p521', 133],
  ])('on %s is read', (curve, type, length) => {
    const key = parsePublicKey(ec(curve))
    expect(key.type).toBe(type)
    expect(key.raw.length).toBe(length)
  })

  it('of RSA is read with the length of its modulus', () => {
    const key = parsePublicKey(rsa2048)
    expect(key).toMatchObject({ type: 'rsa', bits: 2048 })
    expect(rsaNumbers(key).modulus.length).toBe(256)
    expect(bytesToHex(rsaNumbers(key).exponent)).toBe('010001')
  })

  it('of Ed25519 is read', () => {
    const spki = der(generateKeyPairSync('ed25519').publicKey)
    expect(parsePublicKey(spki)).toMatchObject({ type: 'ed25519', raw: spki.subarray(12) })
  })

  it('does not change when the buffer that it came from does', () => {
    // A Buffer, whose `slice` is a view.
    const buffer = Buffer.from(p256)
    const key = parsePublicKey(buffer)
    buffer.fill(0)
    expect(bytesToHex(key.spki)).toBe(bytesToHex(p256))
  })

  it('in bare PKCS#1 is the same key', () => {
    const pkcs1 = createPublicKey({ key: Buffer.from(rsa2048), format: 'der', type: 'spki' }).export({ format: 'der', type: 'pkcs1' })
    expect(bytesToHex(parsePkcs1PublicKey(pkcs1).spki)).toBe(bytesToHex(rsa2048))
    expect(bytesToHex(parsePublicKeyPem(encodePem('RSA PUBLIC KEY', pkcs1)).spki)).toBe(bytesToHex(rsa2048))
    expect(() => parsePkcs1PublicKey(rsa2048)).toThrow(refusal('key_malformed'))
  })

  it('goes through PEM unchanged', () => {
    const key = parsePublicKey(p256)
    const pem = encodePublicKeyPem(key)
    expect(pem).toBe(createPublicKey(pem).export({ format: 'pem', type: 'spki' }))
    expect(parsePublicKeyPem(pem)).toEqual(key)
  })

  it('is named by the SHA-256 of its SubjectPublicKeyInfo', async () => {
    const hash = createHash('sha256').update(p256)
    expect(await keyFingerprint(parsePublicKey(p256), primitives)).toBe(`sha256:${hash.copy().digest('hex')}`)
    expect(await keyHint(parsePublicKey(p256), primitives)).toBe(hash.digest('base64'))
  })
})

describe('a mutated public key', () => {
  it('is refused with a code, or read as the key that the bytes say', () => {
    const strays: string[] = []
    const originals = [p256, rsa2048, der(generateKeyPairSync('ed25519').publicKey)]
    const one = property(nat(2), nat(300), integer({ min: 0, max: 255 }), (which, at, byte) => {
      const mutant = (originals[which] as Uint8Array).map((old, i) => (i === at ? byte : old))
      try {
        const key = parsePublicKey(mutant)
        if (bytesToHex(key.spki) !== bytesToHex(mutant) || !bytesToHex(mutant).endsWith(bytesToHex(key.raw)))
          strays.push(bytesToHex(mutant))
      } catch (error) {
        if (!(error instanceof CountersignError)) strays.push(String(error))
      }
    })
    assert(one, { numRuns: 3000 })
    expect(strays).toEqual([])
  })
})

describe('a public key that is refused', () => {
  it('has bytes after its end', () => {
    expect(() => parsePublicKey(concatBytes(p256, Uint8Array.of(0)))).toThrow(refusal('key_malformed'))
  })

  it('ends too early, wherever', () => {
    for (let length = 0; length < p256.length; length++) {
      expect(() => parsePublicKey(p256.subarray(0, length))).toThrow(refusal('key_malformed'))
    }
  })

  it('has a padded length, a second spelling of the same key', () => {
    expect(() => parsePublicKey(concatBytes(Uint8Array.of(0x30, 0x81), p256.subarray(1)))).toThrow(refusal('key_malformed'))
  })

  it('is larger than any key', () => {
    expect(() => parsePublicKey(new Uint8Array(5000))).toThrow(refusal('der_too_large'))
  })

  it.each(['secp256k1', 'P-224', 'brainpoolP256r1'])('lies on the curve %s', (curve) => {
    expect(() => parsePublicKey(ec(curve))).toThrow(refusal('key_unsupported'))
  })

  it('brings a curve of its own (CVE-2020-0601)', () => {
    const explicit = der(generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).publicKey)
    expect(() => parsePublicKey(explicit)).toThrow(refusal('key_unsupported'))
  })

  it('is a compressed point', () => {
    const compressed = concatBytes(hexToBytes('3039301306072a8648ce3d020106082a8648ce3d03010703220002'), p256.subarray(27, 59))
    expect(() => parsePublicKey(compressed)).toThrow(refusal('key_unsupported'))
  })

  it('is the point at infinity', () => {
    expect(() => parsePublicKey(hexToBytes('3019301306072a8648ce3d020106082a8648ce3d03010703020000'))).toThrow(refusal('key_malformed'))
  })

  it.each([
    ['of 1024 bits', rsaSpki(odd(1024), 65537n)],
    ['of 2047 bits', rsaSpki(odd(2047), 65537n)],
    ['of 4097 bits', rsaSpki(odd(4097), 65537n)],
    ['with the exponent 1, under which every message is its own signature', rsaSpki(odd(2048), 1n)],
    ['with an even exponent', rsaSpki(odd(2048), 65536n)],
    ['with an exponent above 2^32, which makes verification slow', rsaSpki(odd(2048), (1n << 32n) + 1n)],
  ])('is RSA %s', (_, spki) => {
    expect(() => parsePublicKey(spki)).toThrow(refusal('key_unsupported'))
  })

  it.each([
    ['an even modulus', rsaSpki(odd(2048) + 1n, 65537n)],
    ['a negative modulus', rsaSpki(-odd(2048), 65537n)],
    ['the modulus zero', rsaSpki(0n, 65537n)],
    ['parameters other than NULL', rsaSpki(odd(2048), 65537n, derOid('1.2.3'))],
  ])('is RSA with %s', (_, spki) => {
    expect(() => parsePublicKey(spki)).toThrow(refusal('key_malformed'))
  })

  it('takes RSA from 2048 to 4096 bits and exponents from 3', () => {
    expect(parsePublicKey(rsaSpki(odd(2048), 3n)).bits).toBe(2048)
    expect(parsePublicKey(rsaSpki(odd(4096), (1n << 32n) - 1n)).bits).toBe(4096)
  })

  it.each(['ed448', 'x25519'] as const)('is of the kind %s', (kind) => {
    const spki = der(generateKeyPairSync(kind as 'ed448').publicKey)
    expect(() => parsePublicKey(spki)).toThrow(refusal('key_unsupported'))
  })

  it('is ML-DSA, which has no place in the table yet', () => {
    const spki = der(generateKeyPairSync('ml-dsa-44' as 'ed448').publicKey)
    expect(() => parsePublicKey(spki)).toThrow(/ML-DSA-44/)
  })

  it('is Ed25519 of 31 bytes or with parameters', () => {
    const spki = (parameters: Uint8Array[], bytes: number): Uint8Array =>
      derSequence(derSequence(derOid('1.3.101.112'), ...parameters), derBitString(new Uint8Array(bytes)))
    expect(() => parsePublicKey(spki([], 31))).toThrow(refusal('key_malformed'))
    expect(() => parsePublicKey(spki([derNull()], 32))).toThrow(refusal('key_malformed'))
  })

  it('is a certificate or a private key in PEM, with a hint', () => {
    const pem = encodePublicKeyPem(parsePublicKey(p256))
    expect(() => parsePublicKeyPem(pem.replaceAll('PUBLIC KEY', 'CERTIFICATE'))).toThrow(
      expect.objectContaining({ code: 'key_unsupported', hint: expect.stringContaining('openssl x509') }),
    )
    expect(() => parsePublicKeyPem(pem.replaceAll('PUBLIC KEY', 'ENCRYPTED SIGSTORE PRIVATE KEY'))).toThrow(refusal('key_unsupported'))
  })

  it('stands beside another: which one is meant?', () => {
    const pem = encodePublicKeyPem(parsePublicKey(p256))
    expect(() => parsePublicKeyPem(pem + pem)).toThrow(refusal('pem_malformed'))
    expect(() => parsePublicKeyPem('')).toThrow(refusal('pem_malformed'))
  })
})
