import { createHash } from 'node:crypto'
import { equalBytes, utf8 } from '@countersign/core/bytes'
import { encodeTimestampRequest } from '@countersign/core/rfc3161/request'
import { parseTimestampResponse, verifyTimestampToken } from '@countersign/core/rfc3161/timestamp'
import { TimeStampReq } from 'pkijs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mutant, seeded } from '../../../../bench/mutate.ts'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import { makeTsa, noonMs, serveTsa, type MadeTsa, type ServedTsa } from './made.ts'

const rounds = Number(process.env['COUNTERSIGN_FUZZ'] ?? 1000)
const message = utf8('what is stamped')

let made: MadeTsa
let served: ServedTsa
beforeAll(async () => {
  made = await makeTsa()
  served = await serveTsa(made)
})
afterAll(() => served.app.close())

const hashes = ['sha256', 'sha384', 'sha512'] as const
const digestOf = (hash: (typeof hashes)[number]): Buffer => createHash(hash).update(message).digest()
const derSamples = hashes.flatMap((hash) => [
  encodeTimestampRequest({ hash, digest: digestOf(hash), certReq: false }),
  encodeTimestampRequest({ hash, digest: digestOf(hash), certReq: true, nonce: Uint8Array.of(0x80, 1, 2, 3, 4, 5, 6, 7) }),
])
const jsonSamples = hashes.map((hashAlgorithm) =>
  utf8(
    JSON.stringify({
      artifactHash: digestOf(hashAlgorithm).toString('base64'),
      hashAlgorithm,
      certificates: true,
      nonce: 12345678901,
      tsaPolicyOID: '',
    }),
  ),
)

async function send(body: Uint8Array, type: string): Promise<{ status: number; bytes: Uint8Array }> {
  const request = { method: 'POST', url: '/tsa/api/v1/timestamp', payload: Buffer.from(body), headers: { 'content-type': type } } as const
  const answer = await served.app.inject(request)
  return { status: answer.statusCode, bytes: new Uint8Array(answer.rawPayload) }
}

/** The imprint and nonce of an answer that was granted; its signature must hold under the authority, whatever was asked. */
async function granted(bytes: Uint8Array): Promise<{ digest: Uint8Array; nonce: Uint8Array | undefined }> {
  const { token } = parseTimestampResponse(bytes)
  const authorities = [{ organization: '', commonName: '', uri: '', certificates: made.chain, validFor: { start: 0 } }]
  const result = await verifyTimestampToken({ token, message, authorities, primitives: serverPrimitives })
  // Of another imprint than that of our message, if the mutation hit it; but never with a broken signature or by another authority.
  expect(result.ok || result.detail).toSatisfy((said) => said === true || String(said).includes('it is a timestamp of something else'))
  expect(token.info.genTimeMs).toBe(Math.floor(noonMs / 1000) * 1000)
  return { digest: token.info.imprint.digest, nonce: token.info.nonce }
}

describe('mutated requests', () => {
  it('in DER are refused, or stamped as another reader reads them: nothing else is ever signed', async () => {
    const random = seeded(3161)
    let stamped = 0
    for (let round = 0; round < rounds; round++) {
      const [sample, other] = [derSamples[random.below(derSamples.length)], derSamples[random.below(derSamples.length)]] as [
        Uint8Array,
        Uint8Array,
      ]
      const body = mutant(sample, other, random)
      const { status, bytes } = await send(body, 'application/timestamp-query')
      expect([200, 400, 413]).toContain(status)
      if (status !== 200) continue
      stamped++
      const oracle = TimeStampReq.fromBER(body)
      const { digest, nonce } = await granted(bytes)
      expect(equalBytes(digest, new Uint8Array(oracle.messageImprint.hashedMessage.valueBlock.valueHexView))).toBe(true)
      expect(nonce).toEqual(oracle.nonce === undefined ? undefined : new Uint8Array(oracle.nonce.valueBlock.valueHexView))
    }
    expect(stamped).toBeGreaterThan(0)
  }, 60_000)

  it('in JSON are refused, or stamped as another reader reads them', async () => {
    const random = seeded(8259)
    let stamped = 0
    for (let round = 0; round < rounds; round++) {
      const [sample, other] = [jsonSamples[random.below(jsonSamples.length)], jsonSamples[random.below(jsonSamples.length)]] as [
        Uint8Array,
        Uint8Array,
      ]
      const body = mutant(sample, other, random)
      const { status, bytes } = await send(body, 'application/json')
      expect([200, 400, 413]).toContain(status)
      if (status !== 200) continue
      stamped++
      const oracle = JSON.parse(Buffer.from(body).toString()) as { artifactHash: string }
      const { digest } = await granted(bytes)
      expect(Buffer.from(digest).toString('base64')).toBe(oracle.artifactHash)
    }
    expect(stamped).toBeGreaterThan(0)
  }, 60_000)

  it.each([
    ['application/json; charset="a', 400],
    ['application/json, application/timestamp-query', 415],
    ['APPLICATION/TIMESTAMP-QUERY', 200],
  ])('under the type %s are answered as what they are', async (type, status) => {
    expect((await send(derSamples[0] as Uint8Array, type)).status).toBe(status)
  })
})
