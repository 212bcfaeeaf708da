import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { bundleFromJSON } from '@sigstore/bundle'
import { TrustedRoot as ProtobufTrustedRoot } from '@sigstore/protobuf-specs'
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify'
import { fastify } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { preAuthEncoding } from '@countersign/core/dsse/envelope'
import { noteKeyId } from '@countersign/core/note/key-id'
import { hashBytes, serverPrimitives } from '../../src/base/crypto/primitives.ts'
import { soleLeases } from '../../src/base/leases/sole-leases.ts'
import { createTreeLog, openTreeLog, type OpenTreeLog } from '../../src/log/engine/open-log.ts'
import { admitAnyone } from '../../src/log/admission.ts'
import { rekor2Service } from '../../src/log/rekor2/service.ts'
import { digestVerifier, type DigestVerifier } from '../../src/log/verify/verifier.ts'
import { newLogPlace, origin, type LogPlace } from './logs.ts'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rawBytes = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
const verifier = { publicKey: { rawBytes }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' }
const artifact = Buffer.from('artifact')
const payloadType = 'application/vnd.in-toto+json'
const payload = Buffer.from('{"_type":"https://in-toto.io/Statement/v1"}')

let place: LogPlace
let log: OpenTreeLog
let threads: DigestVerifier
let logId: Uint8Array

beforeEach(async () => {
  place = await newLogPlace()
  await createTreeLog(place.options())
  log = await openTreeLog(place.options({ leases: soleLeases(Date.now) }))
  threads = digestVerifier({ threads: 1 })
  logId = await noteKeyId(serverPrimitives, origin, place.key.publicKey)
})
afterEach(async () => {
  await log.close()
  await threads.close()
  await place.remove()
})

/** Sends a request and gives the entry in the form of bundles. */
async function logged(request: object): Promise<object> {
  const app = fastify()
  const service = rekor2Service({ shard: () => ({ log, logId }), verifier: threads, admit: admitAnyone })
  await app.register(async (child) => service.routes(child), { prefix: service.prefix })
  const { statusCode, body } = await app.inject({ method: 'POST', url: '/rekor2/api/v2/log/entries', payload: JSON.stringify(request) })
  await app.close()
  expect(statusCode).toBe(201)
  const entry = JSON.parse(body) as Record<string, unknown>
  // Zero values are left out of bundles.
  const { inclusionPromise, integratedTime, ...rest } = entry
  expect([inclusionPromise, integratedTime]).toEqual([null, '0'])
  return rest
}

function trust(): ReturnType<typeof toTrustMaterial> {
  const root = ProtobufTrustedRoot.fromJSON({
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [
      {
        baseUrl: `https://${origin}/rekor2`,
        hashAlgorithm: 'SHA2_256',
        publicKey: {
          rawBytes: Buffer.from(place.key.publicKey.spki).toString('base64'),
          keyDetails: 'PKIX_ED25519',
          validFor: { start: '2020-01-01T00:00:00Z' },
        },
        logId: { keyId: Buffer.from(logId).toString('base64') },
      },
    ],
    certificateAuthorities: [],
    ctlogs: [],
    timestampAuthorities: [],
  })
  return toTrustMaterial(root, () => ({
    publicKey: createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })),
    validFor: () => true,
  }))
}

/** As sigstore-js verifies: the signature, the entry, its proof and the checkpoint. */
function verify(entry: object, content: object, data?: Buffer): void {
  const bundle = bundleFromJSON({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: 'key' }, tlogEntries: [entry] },
    ...content,
  })
  const check = new Verifier(trust(), { ctlogThreshold: 0, tlogThreshold: 1, timestampThreshold: 0 })
  check.verify(toSignedEntity(bundle, data))
}

describe('sigstore-js', () => {
  it('accepts an entry of ours for a file', async () => {
    await log.add({
      data: Buffer.from('before'),
      leafHash: hashBytes('sha256', Buffer.from('x')),
      identity: hashBytes('sha256', Buffer.from('x')),
    })
    const digest = Buffer.from(hashBytes('sha256', artifact)).toString('base64')
    const content = sign('sha256', artifact, privateKey).toString('base64')
    const entry = await logged({ hashedRekordRequestV002: { digest, signature: { content, verifier } } })
    const messageSignature = { messageDigest: { algorithm: 'SHA2_256', digest }, signature: content }
    expect(() => verify(entry, { messageSignature }, artifact)).not.toThrow()
    const moved = structuredClone(entry) as { inclusionProof: { hashes: string[] } }
    moved.inclusionProof.hashes = [Buffer.alloc(32).toString('base64')]
    expect(() => verify(moved, { messageSignature }, artifact)).toThrow(/inclusion|checkpoint|root/i)
  })

  it('accepts the entry that its own DSSE request became', async () => {
    const sig = sign('sha256', preAuthEncoding(payloadType, payload), privateKey).toString('base64')
    const envelope = { payload: payload.toString('base64'), payloadType, signatures: [{ sig, keyid: '' }] }
    const entry = await logged({ dsseRequestV002: { envelope, verifiers: [verifier] } })
    expect(() => verify(entry, { dsseEnvelope: envelope })).not.toThrow()
  })
})
