import { createHash } from 'node:crypto'
import { equalBytes, utf8 } from '@countersign/core/bytes'
import { parseTimestampRequest } from '@countersign/core/rfc3161/read-request'
import { encodeTimestampRequest, type TimestampRequest } from '@countersign/core/rfc3161/request'
import { createStamper, encodeTimestampRefusal } from '@countersign/core/rfc3161/respond'
import { parseTimestampResponse } from '@countersign/core/rfc3161/timestamp'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { testSigner } from '@countersign/testkit/image-fixture'
import { describe, expect, it } from 'vitest'
import { requestTimestamp } from '../../src/services/timestamps.ts'
import { certificateFor } from './certificates.ts'
import { type Answer, failureOf, fakeService, testClient } from './fake-service.ts'

const message = utf8('a signature')
const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest())

/** A timestamp for a request in the place of the one that came; nobody verifies its signature here. */
async function stamp(request: TimestampRequest): Promise<Uint8Array> {
  const signer = testSigner()
  const der = await certificateFor(signer)
  const certificate = parseCertificate(der)
  const stamper = createStamper({
    certificate,
    certificateHash: sha256(der),
    chain: [der],
    algorithm: signer.messageAlgorithm,
    policy: '1.3.6.1.4.1.57264.2',
    accuracySeconds: 1,
  })
  const info = stamper.info(parseTimestampRequest(encodeTimestampRequest(request)), Uint8Array.of(1), Date.UTC(2026, 10, 20))
  return stamper.response(info, stamper.attributes(sha256(info), Date.UTC(2026, 10, 20)), utf8('signature'), false)
}

async function ask(answer: (sent: ReturnType<typeof parseTimestampRequest>) => Answer | Promise<Answer>) {
  const fake = await fakeService(({ bytes }) => answer(parseTimestampRequest(new Uint8Array(bytes))))
  return { fake, timestamp: requestTimestamp(await testClient(), `${fake.url}/tsa/api/v1/timestamp`, message) }
}

/** The nonce of a request, without tag, length and sign. */
const nonceIn = (sent: ReturnType<typeof parseTimestampRequest>): Uint8Array => (sent.nonce ?? new Uint8Array()).subarray(2)

describe('a timestamp', () => {
  it('is asked for over the SHA-256 of the message, with a nonce and without certificates, at the address as it is', async () => {
    const { fake, timestamp } = await ask(async (sent) => {
      expect(sent).toMatchObject({ hash: 'sha256', certReq: false })
      expect(nonceIn(sent).length).toBeGreaterThanOrEqual(14)
      return { status: 201, body: await stamp({ hash: 'sha256', digest: sha256(message), nonce: nonceIn(sent), certReq: false }) }
    })
    expect(equalBytes(parseTimestampResponse(await timestamp).token.info.imprint.digest, sha256(message))).toBe(true)
    expect(fake.asked[0]).toMatchObject({ method: 'POST', path: '/tsa/api/v1/timestamp' })
    expect(fake.asked[0]?.headers['content-type']).toBe('application/timestamp-query')
  })

  it('attack: an old one, with another nonce or none, is refused though it is of the same message', async () => {
    for (const nonce of [{ nonce: utf8('another nonce') }, {}]) {
      const { timestamp } = await ask(async () => ({
        body: await stamp({ hash: 'sha256', digest: sha256(message), certReq: false, ...nonce }),
      }))
      expect(await failureOf(timestamp)).toMatchObject({
        code: 'service_response_malformed',
        message: expect.stringContaining('another request') as string,
      })
    }
  })

  it('attack: of something else is refused', async () => {
    for (const [hash, digest] of [
      ['sha256', sha256(utf8('something else'))],
      ['sha512', new Uint8Array(createHash('sha512').update(message).digest())],
    ] as const) {
      const { timestamp } = await ask(async (sent) => ({ body: await stamp({ hash, digest, nonce: nonceIn(sent), certReq: false }) }))
      expect(await failureOf(timestamp)).toMatchObject({
        code: 'service_response_malformed',
        message: expect.stringContaining('something else') as string,
      })
    }
  })

  it.each<[string, Answer, string]>([
    ['no DER', { body: 'timestamp' }, 'timestamp_malformed'],
    ['nothing', { body: '' }, 'timestamp_malformed'],
    ['a refusal', { body: encodeTimestampRefusal('timeNotAvailable', 'the clock is off') }, 'timestamp_malformed'],
    ['more than a timestamp can be', { body: 'x'.repeat(70_000) }, 'limit_exceeded'],
    ['400 and a reason', { status: 400, body: 'bad digest' }, 'service_refused'],
    ['503', { status: 503 }, 'service_failed'],
    ['a lost connection', 'lost', 'service_unreachable'],
  ])('is not made of %s', async (_name, answer, code) => {
    const { timestamp } = await ask(() => answer)
    expect((await failureOf(timestamp)).code).toBe(code)
  })
})
