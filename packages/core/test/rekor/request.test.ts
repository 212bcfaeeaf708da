import { generateKeyPairSync, hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { preAuthEncoding } from '../../src/dsse/envelope.ts'
import { parseCreateEntryRequest } from '../../src/rekor/request.ts'

const primitives = { hash: (algorithm: string, data: Uint8Array): Uint8Array => new Uint8Array(hash(algorithm, data, 'buffer')) }
const spki = (publicKey: { export: (options: { type: 'spki'; format: 'der' }) => Buffer }): string =>
  publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
const p256 = spki(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)
const p384 = spki(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey)
const ed25519 = spki(generateKeyPairSync('ed25519').publicKey)

const digest = Buffer.alloc(32, 1).toString('base64')
const content = Buffer.alloc(70, 2).toString('base64')
const verifier = { publicKey: { rawBytes: p256 }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' }
const sound = { digest, signature: { content, verifier } }

function parse(value: unknown): ReturnType<typeof parseCreateEntryRequest> {
  return parseCreateEntryRequest(primitives, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)))
}

describe('a request to a Rekor v2 log', () => {
  it('is read under the names of protojson and under those of the proto file', () => {
    const snake = {
      hashed_rekord_request_v002: {
        digest,
        signature: { content, verifier: { public_key: { raw_bytes: p256 }, key_details: 'PKIX_ECDSA_P256_SHA_256' } },
      },
    }
    expect(parse({ hashedRekordRequestV002: sound })).toEqual(parse(snake))
    expect(parse(snake).algorithm.name).toBe('PKIX_ECDSA_P256_SHA_256')
  })

  it('may leave the algorithm to the key', () => {
    const withKey = (rawBytes: string, bytes: number, keyDetails?: string): string =>
      parse({
        hashedRekordRequestV002: {
          digest: Buffer.alloc(bytes).toString('base64'),
          signature: { content, verifier: { publicKey: { rawBytes }, ...(keyDetails === undefined ? {} : { keyDetails }) } },
        },
      }).algorithm.name
    expect(withKey(p256, 32)).toBe('PKIX_ECDSA_P256_SHA_256')
    expect(withKey(p384, 48)).toBe('PKIX_ECDSA_P384_SHA_384')
    expect(withKey(ed25519, 64, 'PUBLIC_KEY_DETAILS_UNSPECIFIED')).toBe('PKIX_ED25519_PH')
    expect(() => withKey(p384, 32, 'PKIX_ECDSA_P384_SHA_256')).toThrow(/does not fit the key/)
    expect(() => withKey(ed25519, 64, 'PKIX_ED25519')).toThrow(/does not fit the key/)
    expect(() => withKey(p384, 32)).toThrow(/the digest is not one of the algorithm/)
  })

  it('turns an envelope into the hash over its pre-authentication encoding', () => {
    const envelope = { payload: Buffer.from('{}').toString('base64'), payloadType: 'text/x', signatures: [{ sig: content, keyid: '' }] }
    const entry = parse({ dsseRequestV002: { envelope, verifiers: [verifier] } })
    expect(entry.digest).toEqual(primitives.hash('sha256', preAuthEncoding('text/x', new TextEncoder().encode('{}'))))
    const twice = { ...envelope, signatures: [{ sig: content }, { sig: content }] }
    expect(() => parse({ dsseRequestV002: { envelope: twice, verifiers: [verifier] } })).toThrow(/signatures/)
    expect(() => parse({ dsseRequestV002: { envelope, verifiers: [] } })).toThrow(/exactly one verifier/)
  })

  it.each<[string, unknown, RegExp]>([
    ['of no known type', {}, /invalid type, must be hashedrekord/],
    ['of two types', { hashedRekordRequestV002: sound, dsseRequestV002: {} }, /invalid type/],
    ['with an unknown field', { hashedRekordRequestV002: { ...sound, more: 1 } }, /unknown field/],
    [
      'with one field under both names',
      { hashedRekordRequestV002: { digest, signature: { content, verifier: { ...verifier, key_details: 'x' } } } },
      /same field/,
    ],
    ['with a field twice', `{"hashedRekordRequestV002":{"digest":"","digest":""}}`, /digest/],
    ['with the other alphabet of base64', { hashedRekordRequestV002: { ...sound, digest: '_-8=' } }, /base64/],
    ['with base64 that is not canonical', { hashedRekordRequestV002: { ...sound, digest: 'AB==' } }, /base64/],
    ['without a signature', { hashedRekordRequestV002: { digest, signature: { content: '', verifier } } }, /content/],
    [
      'with a signature larger than any key makes',
      { hashedRekordRequestV002: { digest, signature: { content: Buffer.alloc(1025).toString('base64'), verifier } } },
      /1025 bytes/,
    ],
    [
      'with a key that is none',
      { hashedRekordRequestV002: { digest, signature: { content, verifier: { publicKey: { rawBytes: 'AAAA' } } } } },
      /publicKey/,
    ],
    [
      'with a certificate that is none',
      { hashedRekordRequestV002: { digest, signature: { content, verifier: { x509Certificate: { rawBytes: 'AAAA' } } } } },
      /x509Certificate/,
    ],
    [
      'without a signer',
      { hashedRekordRequestV002: { digest, signature: { content, verifier: {} } } },
      /one of publicKey and x509Certificate/,
    ],
    ['that is not JSON', 'x', /request/],
  ])('is refused %s', (_, request, message) => {
    expect(() => parse(request)).toThrow(expect.objectContaining({ code: 'log_entry_malformed', message: expect.stringMatching(message) }))
  })
})
