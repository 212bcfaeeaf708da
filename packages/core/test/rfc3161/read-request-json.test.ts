import { describe, expect, it } from 'vitest'
import { bytesToBase64 } from '../../src/base64.ts'
import { utf8 } from '../../src/bytes.ts'
import { derInteger } from '../../src/der/writer.ts'
import { parseTimestampRequest, parseTimestampRequestJson } from '../../src/rfc3161/read-request.ts'
import { encodeTimestampRequest } from '../../src/rfc3161/request.ts'
import { refusal } from '../refusal.ts'

const digest = new Uint8Array(32).fill(7)
const artifactHash = bytesToBase64(digest)
const read = (value: unknown): ReturnType<typeof parseTimestampRequestJson> =>
  parseTimestampRequestJson(utf8(typeof value === 'string' ? value : JSON.stringify(value)))

describe('a timestamp request in JSON', () => {
  it('means what the same request in DER means', () => {
    expect(read({ artifactHash, hashAlgorithm: 'sha256' })).toEqual(
      parseTimestampRequest(encodeTimestampRequest({ hash: 'sha256', digest, certReq: false })),
    )
    const der = encodeTimestampRequest({ hash: 'sha256', digest, certReq: true, nonce: Uint8Array.of(1, 2) })
    expect(read({ artifactHash, hashAlgorithm: 'sha256', certificates: true, nonce: 258, tsaPolicyOID: '' })).toEqual(
      parseTimestampRequest(der),
    )
  })

  it('repeats a nonce that no double holds', () => {
    const nonce = '123456789012345678901234567890'
    expect(read(`{"artifactHash":"${artifactHash}","hashAlgorithm":"sha256","nonce":${nonce}}`).nonce).toEqual(derInteger(BigInt(nonce)))
  })

  it.each([
    ['SHA-1', { artifactHash, hashAlgorithm: 'sha1' }, 'timestamp_digest_refused'],
    ['a hash named like a member of every object', { artifactHash, hashAlgorithm: 'constructor' }, 'timestamp_digest_refused'],
    ['a digest of another length', { artifactHash, hashAlgorithm: 'sha512' }, 'timestamp_digest_refused'],
    ['a fraction as nonce', { artifactHash, hashAlgorithm: 'sha256', nonce: 1.5 }, 'timestamp_request_malformed'],
    ['an exponent as nonce', `{"artifactHash":"${artifactHash}","hashAlgorithm":"sha256","nonce":1e3}`, 'timestamp_request_malformed'],
    ['a text as nonce', { artifactHash, hashAlgorithm: 'sha256', nonce: '1' }, 'timestamp_request_malformed'],
    ['an unknown field', { artifactHash, hashAlgorithm: 'sha256', extensions: [] }, 'timestamp_request_malformed'],
    [
      'a field twice',
      `{"artifactHash":"${artifactHash}","artifactHash":"${artifactHash}","hashAlgorithm":"sha256"}`,
      'timestamp_request_malformed',
    ],
    ['a policy that is no OID', { artifactHash, hashAlgorithm: 'sha256', tsaPolicyOID: '1..2' }, 'timestamp_request_malformed'],
    ['no digest', { hashAlgorithm: 'sha256' }, 'timestamp_request_malformed'],
    ['no JSON', '{', 'timestamp_request_malformed'],
  ] as const)('with %s is refused', (_, value, code) => {
    expect(refusal(() => read(value))).toBe(code)
  })
})
