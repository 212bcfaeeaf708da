import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { fromUtf8 } from '@countersign/core/bytes'
import { encodeTimestampRequest } from '@countersign/core/rfc3161/request'
import { serializeTrustedRoot } from '@countersign/core/trust/trusted-root'
import { bundleFromJSON } from '@sigstore/bundle'
import { TrustedRoot as ProtobufTrustedRoot } from '@sigstore/protobuf-specs'
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeTsa, noonMs, serveTsa, type MadeTsa, type ServedTsa } from './made.ts'

const artifact = Buffer.from('artifact')
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const signature = sign('sha256', artifact, privateKey)

let made: MadeTsa
let served: ServedTsa
beforeAll(async () => {
  made = await makeTsa()
  served = await serveTsa(made)
})
afterAll(() => served.app.close())

async function stampOf(bytes: Uint8Array, form: 'der' | 'json', certReq: boolean): Promise<string> {
  const digest = createHash('sha256').update(bytes).digest()
  const [type, payload] =
    form === 'der'
      ? ['application/timestamp-query', Buffer.from(encodeTimestampRequest({ hash: 'sha256', digest, certReq }))]
      : ['application/json', JSON.stringify({ artifactHash: digest.toString('base64'), hashAlgorithm: 'sha256', certificates: certReq })]
  const answer = await served.app.inject({
    method: 'POST',
    url: '/tsa/api/v1/timestamp',
    payload,
    headers: { 'content-type': type },
  })
  return answer.rawPayload.toString('base64')
}

function verify(signedTimestamp: string, end?: number): void {
  const window = { start: noonMs - 1000, ...(end === undefined ? {} : { end }) }
  const root = serializeTrustedRoot({
    logs: [],
    ctLogs: [],
    certificateAuthorities: [],
    timestampAuthorities: [
      { organization: 'Test', commonName: 'Test', uri: 'http://127.0.0.1/tsa', certificates: made.chain, validFor: window },
    ],
  })
  const trust = toTrustMaterial(ProtobufTrustedRoot.fromJSON(JSON.parse(fromUtf8(root))), () => ({
    publicKey: createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })),
    validFor: () => true,
  }))
  const bundle = bundleFromJSON({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: {
      publicKey: { hint: 'key' },
      tlogEntries: [],
      timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp }] },
    },
    messageSignature: {
      messageDigest: { algorithm: 'SHA2_256', digest: createHash('sha256').update(artifact).digest('base64') },
      signature: signature.toString('base64'),
    },
  })
  new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 1 }).verify(toSignedEntity(bundle, artifact))
}

describe('our timestamps under @sigstore/verify', () => {
  it.each([
    ['der', false],
    ['der', true],
    ['json', false],
    ['json', true],
  ] as const)('hold for requests in %s, certificates: %s', async (form, certReq) => {
    const stamp = await stampOf(signature, form, certReq)
    expect(() => verify(stamp)).not.toThrow()
  })

  it('of something else do not hold', async () => {
    const stamp = await stampOf(Buffer.from('something else'), 'der', false)
    expect(() => verify(stamp)).toThrow(expect.objectContaining({ code: 'TIMESTAMP_ERROR' }))
  })

  it('outside the window of the authority do not hold', async () => {
    const stamp = await stampOf(signature, 'der', false)
    expect(() => verify(stamp, noonMs - 1000)).toThrow(expect.objectContaining({ code: 'TIMESTAMP_ERROR' }))
  })
})
