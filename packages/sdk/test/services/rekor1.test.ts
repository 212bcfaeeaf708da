import { createHash } from 'node:crypto'
import { hexToBytes, utf8 } from '@countersign/core/bytes'
import { parseDigest } from '@countersign/core/digest'
import { testSigner } from '@countersign/testkit/image-fixture'
import { describe, expect, it } from 'vitest'
import type { LoggableSignature } from '../../src/services/loggable.ts'
import { logInRekor1 } from '../../src/services/rekor1.ts'
import { certificateFor } from './certificates.ts'
import { type Answer, failureOf, fakeService, testClient } from './fake-service.ts'

const signer = testSigner()
const hex = createHash('sha256').update('artifact').digest('hex')
const claimedDigest = parseDigest(`sha256:${hex}`)
const message: LoggableSignature = {
  content: { kind: 'message', signature: utf8('signature'), ...(claimedDigest === undefined ? {} : { claimedDigest }) },
  publicKey: signer.publicKey,
  algorithm: signer.messageAlgorithm,
}
const envelope = { payloadType: 'application/vnd.in-toto+json', payload: utf8('{}'), signatures: [{ sig: utf8('signature') }] as const }
const body = Buffer.from(JSON.stringify({ apiVersion: '0.0.1', kind: 'hashedrekord', spec: {} })).toString('base64')
const uuid = `${'0'.repeat(16)}${'ab'.repeat(32)}`
const entry = {
  body,
  integratedTime: 1_790_000_000,
  logID: 'cd'.repeat(32),
  logIndex: 7,
  verification: {
    inclusionProof: { checkpoint: 'note', hashes: ['ef'.repeat(32)], logIndex: 7, rootHash: '01'.repeat(32), treeSize: 8 },
    signedEntryTimestamp: Buffer.from('promise').toString('base64'),
  },
}
const found = { logIndex: 7, logId: hexToBytes('cd'.repeat(32)), kind: 'hashedrekord', version: '0.0.1', integratedTime: 1_790_000_000 }

async function log(answer: (path: string) => Answer, signed: LoggableSignature = message) {
  const fake = await fakeService(({ path }) => answer(path))
  return { fake, entry: logInRekor1(await testClient(), `${fake.url}/rekor`, signed) }
}

describe('an entry of Rekor v1', () => {
  it('is asked for as hashedrekord 0.0.1 with the key or the certificate in PEM, and read', async () => {
    const certificate = await certificateFor(signer)
    for (const [signed, label] of [
      [message, 'PUBLIC KEY'],
      [{ ...message, certificate }, 'CERTIFICATE'],
    ] as const) {
      const { fake, entry: logged } = await log(() => ({ status: 201, body: { [uuid]: entry } }), signed)
      expect(await logged).toMatchObject(found)
      const proposed = JSON.parse(fake.asked[0]?.body ?? '') as { spec: { data: object; signature: { publicKey: { content: string } } } }
      expect(proposed).toMatchObject({
        apiVersion: '0.0.1',
        kind: 'hashedrekord',
        spec: { data: { hash: { algorithm: 'sha256', value: hex } } },
      })
      expect(Buffer.from(proposed.spec.signature.publicKey.content, 'base64').toString()).toContain(`BEGIN ${label}`)
    }
  })

  it('of an envelope is asked for as dsse 0.0.1', async () => {
    const { fake, entry: logged } = await log(() => ({ status: 201, body: { [uuid]: entry } }), {
      ...message,
      content: { kind: 'dsse', envelope },
    })
    await logged
    const { kind, spec } = JSON.parse(fake.asked[0]?.body ?? '') as {
      kind: string
      spec: { proposedContent: { envelope: string; verifiers: string[] } }
    }
    expect(kind).toBe('dsse')
    expect(JSON.parse(spec.proposedContent.envelope)).toMatchObject({ payloadType: envelope.payloadType })
    expect(spec.proposedContent.verifiers.length).toBe(1)
  })

  it('that is there already is fetched from where the log says that it is', async () => {
    for (const location of [`/api/v1/log/entries/${uuid}`, `https://elsewhere.example/rekor/api/v1/log/entries/${uuid.slice(16)}`]) {
      const { fake, entry: logged } = await log((path) =>
        path.endsWith('/entries') ? { status: 409, headers: { location } } : { body: { [uuid]: entry } },
      )
      expect(await logged).toMatchObject(found)
      // The service itself is asked: where it is, its answer does not decide.
      expect(fake.asked.map((asked) => `${asked.method} ${asked.path}`)).toEqual([
        'POST /rekor/api/v1/log/entries',
        `GET /rekor/api/v1/log/entries/${location.split('/').at(-1)}`,
      ])
    }
  })

  it.each<[string, Answer, string]>([
    ['409 without a place', { status: 409 }, 'service_response_malformed'],
    ['409 with a place that is none', { status: 409, headers: { location: '/log/entries/../../../admin' } }, 'service_response_malformed'],
    ['400', { status: 400, body: { code: 400, message: 'invalid signature' } }, 'service_refused'],
    ['503 that stays', { status: 503 }, 'service_failed'],
    ['no JSON', { status: 201, body: 'entry' }, 'service_response_malformed'],
    ['no entry', { status: 201, body: {} }, 'service_response_malformed'],
    ['two entries', { status: 201, body: { a: entry, b: entry } }, 'service_response_malformed'],
    ['three entries', { status: 201, body: { a: entry, b: entry, c: entry } }, 'service_response_malformed'],
    ['an entry without a proof', { status: 201, body: { a: { ...entry, verification: {} } } }, 'service_response_malformed'],
    [
      'a log that is named in other letters',
      { status: 201, body: { a: { ...entry, logID: 'not hexadecimal' } } },
      'service_response_malformed',
    ],
    ['an index below zero', { status: 201, body: { a: { ...entry, logIndex: -1 } } }, 'service_response_malformed'],
    ['a body that is no JSON', { status: 201, body: { a: { ...entry, body: 'AAAA' } } }, 'service_response_malformed'],
    ['a lost connection', 'lost', 'service_unreachable'],
  ])('is not made of %s', async (_name, answer, code) => {
    expect((await failureOf((await log(() => answer)).entry)).code).toBe(code)
  })

  it('that is said to be there and is not is refused', async () => {
    const { entry: logged } = await log((path) =>
      path.endsWith('/entries')
        ? { status: 409, headers: { location: `/api/v1/log/entries/${uuid}` } }
        : { status: 404, body: { message: 'no' } },
    )
    expect((await failureOf(logged)).code).toBe('service_refused')
  })
})
