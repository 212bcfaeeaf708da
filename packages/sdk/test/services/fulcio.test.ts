import { utf8 } from '@countersign/core/bytes'
import { encodePem } from '@countersign/core/pem'
import { testSigner } from '@countersign/testkit/image-fixture'
import { describe, expect, it } from 'vitest'
import { requestCertificate } from '../../src/services/fulcio.ts'
import { certificateFor } from './certificates.ts'
import { everythingIn, failureOf, type Answer, fakeService, testClient } from './fake-service.ts'

const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzZWNyZXQiOiJ0aGUgdG9rZW4ifQ.c2lnbmF0dXJl'
const signer = testSigner()

async function ask(answer: (body: string) => Answer | Promise<Answer>) {
  const fake = await fakeService(({ body }) => answer(body))
  const request = { url: `${fake.url}/fulcio/`, token, publicKey: signer.publicKey, proofOfPossession: utf8('proof') }
  return { fake, certificate: requestCertificate(await testClient(), request) }
}

const chainOf = (...certificates: readonly string[]): Answer => ({ body: { signedCertificateEmbeddedSct: { chain: { certificates } } } })

describe('a certificate', () => {
  it('is asked for with the key and the proof; the token goes into the header and nowhere else', async () => {
    const pem = encodePem('CERTIFICATE', await certificateFor(signer))
    const { fake, certificate } = await ask(() => chainOf(pem, pem))
    expect((await certificate).map((der) => encodePem('CERTIFICATE', der))).toEqual([pem, pem])
    const [asked] = fake.asked
    expect(asked).toMatchObject({ method: 'POST', path: '/fulcio/api/v2/signingCert' })
    expect(asked?.headers.authorization).toBe(`Bearer ${token}`)
    expect(asked?.body).not.toContain(token)
    expect(JSON.parse(asked?.body ?? '')).toEqual({
      publicKeyRequest: {
        publicKey: { algorithm: 'ECDSA', content: expect.stringContaining('BEGIN PUBLIC KEY') as string },
        proofOfPossession: Buffer.from('proof').toString('base64'),
      },
    })
  })

  it('is asked for again when the answer was lost: one that nobody received signs nothing', async () => {
    const pem = encodePem('CERTIFICATE', await certificateFor(signer))
    let times = 0
    const { fake, certificate } = await ask(() => (times++ === 0 ? 'lost' : chainOf(pem)))
    expect((await certificate).length).toBe(1)
    expect(fake.asked.length).toBe(2)
  })

  it('attack: for another key is refused, whoever has that key', async () => {
    const pem = encodePem('CERTIFICATE', await certificateFor(testSigner()))
    const { certificate } = await ask(() => chainOf(pem))
    expect(await failureOf(certificate)).toMatchObject({
      code: 'service_response_malformed',
      message: expect.stringContaining('another key') as string,
    })
  })

  it.each<[string, Answer, string]>([
    ['no JSON', { body: '<html>' }, 'service_response_malformed'],
    ['a list', { body: [] }, 'service_response_malformed'],
    ['nothing', { body: '' }, 'service_response_malformed'],
    ['no chain', { body: { signedCertificateEmbeddedSct: {} } }, 'service_response_malformed'],
    ['an empty chain', chainOf(), 'service_response_malformed'],
    ['eleven certificates', chainOf(...Array.from({ length: 11 }, () => 'x')), 'service_response_malformed'],
    ['no PEM', chainOf('certificate'), 'pem_malformed'],
    ['another PEM', chainOf(encodePem('PUBLIC KEY', signer.publicKey.spki)), 'service_response_malformed'],
    ['two in one', chainOf(encodePem('CERTIFICATE', utf8('a')).repeat(2)), 'service_response_malformed'],
    ['no certificate inside', chainOf(encodePem('CERTIFICATE', utf8('a'))), 'certificate_malformed'],
    ['a detached SCT', { body: { signedCertificateDetachedSct: { chain: { certificates: [] } } } }, 'not_supported'],
    ['400 and a reason', { status: 400, body: { code: 3, message: 'the issuer is unknown' } }, 'service_refused'],
    ['429', { status: 429 }, 'service_throttled'],
    ['502', { status: 502, body: 'bad gateway' }, 'service_failed'],
    ['a lost connection', 'lost', 'service_unreachable'],
    ['the token itself', { status: 400, body: { message: 'no token' } }, 'service_refused'],
  ])('is not made of %s, and no failure shows the token', async (_name, answer, code) => {
    const { certificate } = await ask(() => answer)
    const failure = await failureOf(certificate)
    expect(everythingIn(failure)).not.toContain(token.split('.')[1])
    expect(failure.code).toBe(code)
  })
})
