import { createHash } from 'node:crypto'
import { utf8 } from '@countersign/core/bytes'
import { derInteger, derOctetString, derOid, derSequence } from '@countersign/core/der/writer'
import { encodeTimestampRequest } from '@countersign/core/rfc3161/request'
import { parseTimestampResponse, verifyTimestamp } from '@countersign/core/rfc3161/timestamp'
import { decodePem } from '@countersign/core/pem'
import { CountersignError } from '@countersign/core/failure'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import { createTimestampAuthority } from '../../src/tsa/authority.ts'
import { memoryKey } from '@countersign/testkit/memory-keys'
import { makeTsa, noonMs, serveTsa, type MadeTsa, type ServedTsa } from './made.ts'

const message = utf8('the bytes of a signature')
const digest = (hash: 'sha256' | 'sha384' | 'sha512'): Uint8Array => new Uint8Array(createHash(hash).update(message).digest())
const query = (parts: { certReq?: boolean; nonce?: Uint8Array } = {}): Buffer =>
  Buffer.from(encodeTimestampRequest({ hash: 'sha256', digest: digest('sha256'), certReq: false, ...parts }))

let made: MadeTsa
let served: ServedTsa
beforeAll(async () => {
  made = await makeTsa()
  served = await serveTsa(made)
})
afterAll(() => served.app.close())
beforeEach(() => {
  made.clock = { ok: true, nowMs: noonMs }
  served.registry.resetMetrics()
})

const post = (payload: Buffer | string, type = 'application/timestamp-query') =>
  served.app.inject({ method: 'POST', url: '/tsa/api/v1/timestamp', payload, headers: { 'content-type': type } })

const verified = (body: Buffer) =>
  verifyTimestamp({
    response: parseTimestampResponse(new Uint8Array(body)),
    message,
    authorities: [{ organization: '', commonName: '', uri: '', certificates: made.chain, validFor: { start: 0 } }],
    primitives: serverPrimitives,
  })

describe('POST /tsa/api/v1/timestamp', () => {
  it("answers cosign's request, DER without nonce and certificates, with a timestamp that holds", async () => {
    const answer = await post(query())
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['content-type']).toBe('application/timestamp-reply')
    expect(await verified(answer.rawPayload)).toMatchObject({ ok: true, timeMs: Date.UTC(2026, 5, 1, 12) })
    expect(parseTimestampResponse(new Uint8Array(answer.rawPayload)).token.signedData.certificates).toEqual([])
    expect(await served.counted()).toEqual({ granted: 1 })
  })

  it("answers sigstore-js's request, JSON, in DER", async () => {
    const payload = JSON.stringify({ artifactHash: Buffer.from(digest('sha384')).toString('base64'), hashAlgorithm: 'sha384' })
    const answer = await post(payload, 'application/json')
    expect(answer.statusCode).toBe(200)
    expect(await verified(answer.rawPayload)).toMatchObject({ ok: true })
  })

  it("embeds its certificate, without the root, and repeats the nonce for gitsign's request", async () => {
    const answer = await post(query({ certReq: true, nonce: Uint8Array.of(0x81, 2, 3) }))
    const { info, signedData } = parseTimestampResponse(new Uint8Array(answer.rawPayload)).token
    expect(info.nonce).toEqual(Uint8Array.of(0, 0x81, 2, 3))
    expect(signedData.certificates).toEqual(made.chain.slice(0, 1))
    expect(await verified(answer.rawPayload)).toMatchObject({ ok: true })
  })

  it('gives each timestamp a random serial number of 160 bits', async () => {
    const serials = new Set<string>()
    for (let i = 0; i < 600; i++) {
      const { serial } = parseTimestampResponse(await made.authority.stamp({ imprint: imprint(32), hash: 'sha256', certReq: false })).token
        .info
      expect(serial).toHaveLength(20)
      expect((serial[0] as number) & 0xc0).toBe(0x40)
      serials.add(Buffer.from(serial).toString('hex'))
    }
    expect(serials.size).toBe(600)
  })

  const imprint = (length: number, oid = '2.16.840.1.101.3.4.2.1'): Uint8Array =>
    derSequence(derSequence(derOid(oid)), derOctetString(new Uint8Array(length)))

  it.each([
    ['SHA-1', derSequence(derInteger(1), imprint(20, '1.3.14.3.2.26')), 'timestamp_digest_refused'],
    ['a digest of another length', derSequence(derInteger(1), imprint(20)), 'timestamp_digest_refused'],
    ['another policy', derSequence(derInteger(1), imprint(32), derOid('1.2.3')), 'timestamp_policy_refused'],
    ['nonsense', utf8('nonsense'), 'timestamp_request_malformed'],
    ['nothing', new Uint8Array(), 'timestamp_request_malformed'],
  ] as const)('refuses %s with 400 and a TimeStampResp that says why', async (_, der, code) => {
    const answer = await post(Buffer.from(der))
    expect(answer.statusCode).toBe(400)
    expect(answer.headers['content-type']).toBe('application/timestamp-reply')
    // PKIStatus 2: rejection.
    expect([...answer.rawPayload.subarray(0, 7)].slice(4, 7)).toEqual([0x02, 0x01, 0x02])
    expect(await served.counted()).toEqual({ [code]: 1 })
  })

  it('refuses JSON in JSON', async () => {
    const answer = await post('{"hashAlgorithm":"sha1","artifactHash":"AA=="}', 'application/json; charset=utf-8')
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ code: 400 })
  })

  it.each(['text/plain', 'application/timestamp-reply'])('answers the content type %s with 415', async (type) => {
    expect((await post('x', type)).statusCode).toBe(415)
  })

  it('answers a request without any content with 415', async () => {
    expect((await served.app.inject({ method: 'POST', url: '/tsa/api/v1/timestamp' })).statusCode).toBe(415)
  })

  it('answers a body beyond 4 KiB with 413', async () => {
    expect((await post(Buffer.alloc(5000))).statusCode).toBe(413)
  })

  it('stamps nothing while the clock cannot be vouched for: 503, to be asked again', async () => {
    made.clock = { ok: false, detail: 'the clock was set back by 3600000 ms' }
    for (const [body, type] of [
      [query(), 'application/timestamp-query'],
      [JSON.stringify({ artifactHash: Buffer.from(digest('sha256')).toString('base64'), hashAlgorithm: 'sha256' }), 'application/json'],
    ] as const) {
      const answer = await post(body, type)
      expect(answer.statusCode).toBe(503)
      expect(answer.headers['retry-after']).toBe('60')
      expect(answer.body).toContain('set back')
    }
    expect(await served.counted()).toEqual({ clock_untrusted: 2 })
    expect(await served.registry.metrics()).toContain('countersign_clock_trusted 0')
  })

  it('stamps nothing outside the validity of its own certificate', async () => {
    made.clock = { ok: true, nowMs: Date.UTC(2050, 0, 1) }
    expect((await post(query())).statusCode).toBe(503)
  })
})

describe('GET /tsa/api/v1/timestamp/certchain', () => {
  it('gives the chain in PEM, the certificate that stamps first', async () => {
    const answer = await served.app.inject('/tsa/api/v1/timestamp/certchain')
    expect(answer.headers['content-type']).toContain('application/pem-certificate-chain')
    expect(decodePem(answer.body, 'CERTIFICATE').map(({ bytes }) => bytes)).toEqual(made.chain)
  })
})

describe('a timestamp authority', () => {
  it('does not start with the certificate of another key', () => {
    const open = (): unknown => createTimestampAuthority({ key: memoryKey('tsa-2'), chain: made.chain, clock: () => made.clock })
    expect(open).toThrow(expect.objectContaining({ code: 'key_mismatch' }))
  })

  it('waits for a key that signs elsewhere, and says when it cannot be reached', async () => {
    const key = { ...made.key, sign: async (bytes: Uint8Array) => made.key.sign(bytes) }
    const authority = createTimestampAuthority({ key, chain: made.chain, clock: () => made.clock })
    const served2 = await serveTsa({ ...made, authority })
    const send = () =>
      served2.app.inject({
        method: 'POST',
        url: '/tsa/api/v1/timestamp',
        payload: query(),
        headers: { 'content-type': 'application/timestamp-query' },
      })
    expect(await verified((await send()).rawPayload)).toMatchObject({ ok: true })
    key.sign = async () => Promise.reject(new CountersignError('signer_unavailable', 'the token does not answer'))
    expect((await send()).statusCode).toBe(503)
    key.sign = async () => Promise.reject(new TypeError('secret detail'))
    const broken = await send()
    expect(broken.statusCode).toBe(500)
    expect(broken.body).not.toContain('secret detail')
  })
})
