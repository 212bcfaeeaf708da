import { createHash, sign, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/bytes.ts'
import { cmsOid } from '../../src/cms/oids.ts'
import { derExplicit, derInteger, derOctetString, derOid, derSequence } from '../../src/der/writer.ts'
import { parsePublicKey } from '../../src/keys/public-key.ts'
import { algorithmFor } from '../../src/keys/algorithm.ts'
import { parseTimestampRequest, type ReadTimestampRequest } from '../../src/rfc3161/read-request.ts'
import { encodeTimestampRequest } from '../../src/rfc3161/request.ts'
import { createStamper, encodeTimestampRefusal } from '../../src/rfc3161/respond.ts'
import { parseTimestampResponse, verifyTimestamp } from '../../src/rfc3161/timestamp.ts'
import { webPrimitives } from '../../src/web-primitives.ts'
import { parseCertificate } from '../../src/x509/certificate.ts'
import { failureOf, refusal } from '../refusal.ts'
import { hasOpenssl, needsOpenssl, openssl } from '../x509/openssl.ts'
import { newTsa } from './stamp.ts'

const primitives = webPrimitives(crypto.subtle)
const message = utf8('the bytes of a signature')
const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest())
const genTimeMs = Date.UTC(2026, 5, 1, 12, 0, 0, 750)
const serial = Uint8Array.from({ length: 20 }, (_, i) => i + 1)

const tsa = newTsa()
const key = parsePublicKey(tsa.key.spki)
const stamper = createStamper({
  certificate: parseCertificate(tsa.leaf),
  certificateHash: sha256(tsa.leaf),
  chain: [tsa.leaf, tsa.root],
  algorithm: algorithmFor(key, 'sha256'),
  policy: '1.3.6.1.4.1.57264.2',
  accuracySeconds: 1,
})
const authority = { organization: '', commonName: '', uri: '', certificates: [tsa.leaf, tsa.root], validFor: { start: 0 } }

function answer(request: ReadTimestampRequest): Uint8Array {
  const info = stamper.info(request, serial, genTimeMs)
  const attributes = stamper.attributes(sha256(info), genTimeMs)
  return stamper.response(info, attributes, new Uint8Array(sign('sha256', attributes, tsa.key.privateKey)), request.certReq)
}

const hashes = ['sha256', 'sha384', 'sha512'] as const
const requestFor = (hash: (typeof hashes)[number], certReq: boolean, nonce?: Uint8Array): Uint8Array =>
  encodeTimestampRequest({ hash, digest: createHash(hash).update(message).digest(), certReq, ...(nonce && { nonce }) })

describe('an answer of a timestamp authority (RFC 3161 §2.4.2)', () => {
  it.each(hashes)('holds for an imprint by %s, says the profile, and repeats the nonce', async (hash) => {
    for (const certReq of [true, false]) {
      const response = parseTimestampResponse(answer(parseTimestampRequest(requestFor(hash, certReq, Uint8Array.of(0x80, 1)))))
      const { info, signedData } = response.token
      expect(info).toMatchObject({
        policy: '1.3.6.1.4.1.57264.2',
        imprint: { hash },
        serial,
        genTimeMs: Date.UTC(2026, 5, 1, 12),
        accuracyMs: 1000,
        nonce: Uint8Array.of(0, 0x80, 1),
        tsa: derExplicit(4, parseCertificate(tsa.leaf).subject.raw),
      })
      expect(signedData.version).toBe(3)
      expect([...(signedData.signer.signedAttributes?.values.keys() ?? [])].toSorted()).toEqual(
        [cmsOid.contentType, cmsOid.messageDigest, cmsOid.signingCertificateV2, cmsOid.signingTime].toSorted(),
      )
      expect(signedData.certificates).toHaveLength(certReq ? 2 : 0)
      const result = await verifyTimestamp({ response, message, authorities: [authority], primitives })
      expect(result).toMatchObject({ ok: true, timeMs: Date.UTC(2026, 5, 1, 12) })
    }
  })

  it('has no nonce where none was asked for', () => {
    expect(parseTimestampResponse(answer(parseTimestampRequest(requestFor('sha256', false)))).token.info.nonce).toBeUndefined()
  })

  it('is made with SHA-256 alone, since that is what the message digest is made with', () => {
    const options = {
      certificate: parseCertificate(tsa.leaf),
      certificateHash: sha256(tsa.leaf),
      chain: [],
      policy: '1.2',
      accuracySeconds: 1,
    }
    expect(refusal(() => createStamper({ ...options, algorithm: algorithmFor(key, 'sha384') }))).toBe('algorithm_unsupported')
  })

  it('that grants nothing says why, to programs too', () => {
    const refused = encodeTimestampRefusal('unacceptedPolicy', 'another policy')
    // PKIStatusInfo: rejection, text, bit 15.
    expect(Buffer.from(refused).toString('hex')).toContain(Buffer.from(Uint8Array.of(3, 3, 0, 0, 1)).toString('hex'))
    const failure = failureOf(() => parseTimestampResponse(refused))
    expect(failure?.code).toBe('timestamp_malformed')
    expect(failure?.found).toContain('another policy')
  })
})

describe.skipIf(!hasOpenssl)(`openssl ts ${needsOpenssl}`, () => {
  let folder = ''
  const file = (name: string): string => path.join(folder, name)
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'timestamps-'))
    writeFileSync(file('message'), message)
    writeFileSync(file('root.pem'), new X509Certificate(tsa.root).toString())
    writeFileSync(file('leaf.pem'), new X509Certificate(tsa.leaf).toString())
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each(hashes)('accepts our answers to its requests by %s, with and without certificates', (hash) => {
    for (const cert of [['-cert'], []]) {
      openssl(folder, 'ts', '-query', '-data', 'message', `-${hash}`, ...cert, '-out', 'query')
      const query = new Uint8Array(Buffer.from(openssl(folder, 'base64', '-A', '-in', 'query'), 'base64'))
      writeFileSync(file('reply'), answer(parseTimestampRequest(query)))
      const trust = ['-CAfile', 'root.pem', '-untrusted', 'leaf.pem', '-attime', '1780300000']
      expect(openssl(folder, 'ts', '-verify', '-queryfile', 'query', '-in', 'reply', ...trust)).toContain('Verification: OK')
      const text = openssl(folder, 'ts', '-reply', '-in', 'reply', '-text')
      expect(text).toContain('Policy OID: 1.3.6.1.4.1.57264.2')
      expect(text).toContain('Accuracy: 0x01 seconds')
      expect(text).toContain('TSA: DirName:/CN=TSA')
    }
  })

  it('reads our refusals', () => {
    writeFileSync(file('reply'), encodeTimestampRefusal('badAlg', 'SHA-1 is not stamped'))
    const text = openssl(folder, 'ts', '-reply', '-in', 'reply', '-text')
    expect(text).toContain('Status: Rejected.')
    expect(text).toContain('unrecognized or unsupported algorithm identifier')
  })
})

describe('a request that a timestamp authority must not answer', () => {
  const sha1 = derSequence(derSequence(derOid('1.3.14.3.2.26')), derOctetString(new Uint8Array(20)))
  const imprint = (length: number): Uint8Array =>
    derSequence(derSequence(derOid('2.16.840.1.101.3.4.2.1')), derOctetString(new Uint8Array(length)))

  it.each([
    ['asks for SHA-1', derSequence(derInteger(1), sha1), 'timestamp_digest_refused'],
    ['has a digest one byte short', derSequence(derInteger(1), imprint(31)), 'timestamp_digest_refused'],
    ['has a digest one byte long', derSequence(derInteger(1), imprint(33)), 'timestamp_digest_refused'],
    ['has an extension', derSequence(derInteger(1), imprint(32), derExplicit(0, derSequence())), 'timestamp_extension_refused'],
    ['is of version 2', derSequence(derInteger(2), imprint(32)), 'timestamp_request_malformed'],
    [
      'has its fields in another order',
      derSequence(derInteger(1), imprint(32), derInteger(7), derOid('1.2.3')),
      'timestamp_request_malformed',
    ],
    ['has two nonces', derSequence(derInteger(1), imprint(32), derInteger(7), derInteger(8)), 'timestamp_request_malformed'],
    ['is empty', new Uint8Array(), 'timestamp_request_malformed'],
    ['is longer than the bound', new Uint8Array(5000), 'der_too_large'],
  ] as const)('%s', (_, der, code) => {
    expect(refusal(() => parseTimestampRequest(der))).toBe(code)
  })

  it('keeps every bit of what is repeated', () => {
    const nonce = Uint8Array.from({ length: 40 }, (_, i) => 255 - i)
    const der = derSequence(derInteger(1), imprint(32), derOid('1.2.3'), derInteger(-5))
    expect(parseTimestampRequest(der)).toMatchObject({ policy: '1.2.3', nonce: derInteger(-5), certReq: false, imprint: imprint(32) })
    expect(parseTimestampRequest(requestFor('sha256', true, nonce))).toMatchObject({ certReq: true })
  })
})
