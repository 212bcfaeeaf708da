import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { utf8 } from '../../src/bytes.ts'
import { cmsOid } from '../../src/cms/oids.ts'
import {
  derBoolean,
  derElement,
  derExplicit,
  derImplicit,
  derInteger,
  derNull,
  derOctetString,
  derOid,
  derSequence,
  derUtf8String,
} from '../../src/der/writer.ts'
import { parseTimestampResponse, parseTimestampToken, verifyTimestamp, type TimestampResult } from '../../src/rfc3161/timestamp.ts'
import type { AuthorityInstance } from '../../src/trust/model.ts'
import { webPrimitives } from '../../src/web-primitives.ts'
import { algorithmOid, purposeOid } from '../../src/x509/oids.ts'
import { end2026, extension, extensions, issue, nameOf, start2026 } from '../x509/issue.ts'
import { attributes, newTsa, responseWith, tokenBy, type Stamp, type TestTsa } from './stamp.ts'
import { refusal } from '../refusal.ts'

const primitives = webPrimitives(crypto.subtle)
const message = utf8('the bytes of a signature')
const genTimeMs = Date.UTC(2026, 5, 1, 12) + 250
const tsa = newTsa()

function authorityOf({ leaf, root }: TestTsa, change: Partial<AuthorityInstance> = {}): AuthorityInstance {
  return { organization: 'o', commonName: 'n', uri: 'https://tsa.example', certificates: [leaf, root], validFor: { start: 0 }, ...change }
}

function responseBy(by: TestTsa, stamp: Partial<Stamp> = {}): Uint8Array {
  return responseWith(tokenBy(by, { message, genTimeMs, ...stamp }))
}

function check(response: Uint8Array, ...authorities: readonly AuthorityInstance[]): Promise<TimestampResult> {
  return verifyTimestamp({ response: parseTimestampResponse(response), message, authorities, primitives })
}

describe('a timestamp response', () => {
  it('says what was stamped, when, and under which policy', () => {
    const accuracy = derSequence(derInteger(1), derElement(0x80, Uint8Array.of(5)), derElement(0x81, Uint8Array.of(7)))
    const optional = [accuracy, derBoolean(false), derInteger(99), derExplicit(0, derExplicit(4, nameOf('TSA')))]
    const { status, token } = parseTimestampResponse(responseBy(tsa, { optional }))
    expect(status).toBe('granted')
    expect(token.info).toMatchObject({ policy: '1.3.6.1.4.1.57264.2', imprint: { hash: 'sha256' }, genTimeMs, accuracyMs: 1006 })
    expect(token.info.serial).toEqual(Uint8Array.of(42))
    expect(token.info.nonce).toEqual(Uint8Array.of(99))
  })

  it('may be granted with modifications', () => {
    const response = responseWith(tokenBy(tsa, { message, genTimeMs }), 1)
    expect(parseTimestampResponse(response).status).toBe('granted-with-modifications')
  })

  it('that grants nothing is refused, with the reason of the authority', () => {
    const rejection = derSequence(derSequence(derInteger(2), derSequence(derUtf8String('bad algorithm'))))
    expect(refusal(() => parseTimestampResponse(rejection))).toBe('timestamp_malformed')
    expect(() => parseTimestampResponse(rejection)).toThrow(expect.objectContaining({ found: 'status 2: "bad algorithm"' }))
  })

  const sha1 = derSequence(derSequence(derOid('1.3.14.3.2.26'), derNull()), derOctetString(new Uint8Array(20)))
  const short = derSequence(derSequence(derOid(algorithmOid.sha256)), derOctetString(new Uint8Array(31)))
  const critical = derImplicit(1, derSequence(extension('1.2.3', true, utf8('x'))))
  const refused: readonly (readonly [string, Partial<Stamp>])[] = [
    ['an imprint by SHA-1', { imprint: sha1 }],
    ['an imprint of another length than its hash', { imprint: short }],
    ['a critical extension', { optional: [critical] }],
    ['an unknown field', { optional: [derOctetString(utf8('x'))] }],
    ['its fields in another order', { optional: [derInteger(9), derBoolean(true)] }],
    ['an accuracy above 999 milliseconds', { optional: [derSequence(derElement(0x80, Uint8Array.of(3, 0xe8)))] }],
    ['another content type', { contentType: cmsOid.data }],
    ['an unknown version', { version: 2 }],
  ]
  it.each(refused)('is refused when it has %s', (_, stamp) => {
    expect(refusal(() => parseTimestampResponse(responseBy(tsa, stamp)))).toBe('timestamp_malformed')
  })

  it('is refused when larger than 64 KiB', () => {
    expect(refusal(() => parseTimestampResponse(new Uint8Array(64 * 1024 + 1)))).toBe('der_too_large')
    expect(refusal(() => parseTimestampToken(new Uint8Array(64 * 1024 + 1)))).toBe('der_too_large')
  })

  it('is no bare token, and a bare token is no response', () => {
    const token = tokenBy(tsa, { message, genTimeMs })
    expect(parseTimestampToken(token).info.genTimeMs).toBe(genTimeMs)
    expect(refusal(() => parseTimestampResponse(token))).toBe('timestamp_malformed')
    expect(refusal(() => parseTimestampToken(responseWith(token)))).toBe('timestamp_malformed')
  })
})

describe('a timestamp holds', () => {
  const ok = { ok: true, timeMs: genTimeMs, authority: 'CN=TSA', authorityIndex: 0 }

  it('when an authority of the trusted root stamped the message', async () => {
    expect(await check(responseBy(tsa), authorityOf(tsa))).toEqual(ok)
  })

  it('with the certificate of the authority embedded, and others beside it', async () => {
    expect(await check(responseBy(tsa, { certificates: [tsa.leaf, tsa.root] }), authorityOf(tsa))).toEqual(ok)
  })

  it('with an embedded certificate alone when the trusted root names only its issuer', async () => {
    const issuerOnly = authorityOf(tsa, { certificates: [tsa.root] })
    expect(await check(responseBy(tsa, { certificates: [tsa.leaf] }), issuerOnly)).toEqual(ok)
    expect(await check(responseBy(tsa), issuerOnly)).toMatchObject({ ok: false, code: 'timestamp_untrusted' })
  })

  it('by the second of two authorities, and says which', async () => {
    expect(await check(responseBy(tsa), authorityOf(newTsa({ serial: 8 })), authorityOf(tsa))).toMatchObject({
      ok: true,
      authorityIndex: 1,
    })
  })

  it('at both ends of the trust in the authority, inclusive', async () => {
    const validFor = { start: genTimeMs, end: genTimeMs }
    expect(await check(responseBy(tsa), authorityOf(tsa, { validFor }))).toEqual(ok)
  })

  it('when its certificate is named with issuer and serial number too', async () => {
    const issuerSerial = derSequence(derSequence(derExplicit(4, tsa.rootIssuer.name)), derInteger(7))
    const named = (info: Uint8Array): Uint8Array[] => [
      attributes.contentType(),
      attributes.messageDigest(info),
      attributes.signingCertificateV2(tsa.leaf, issuerSerial),
      attributes.signingCertificate(tsa.leaf),
    ]
    expect(await check(responseBy(tsa, { attributes: named }), authorityOf(tsa))).toEqual(ok)
  })
})

describe('a timestamp is refused as timestamp_untrusted', () => {
  const untrusted = { ok: false, code: 'timestamp_untrusted' }

  it('when the trusted root names no authority, or another', async () => {
    expect(await check(responseBy(tsa))).toMatchObject(untrusted)
    expect(await check(responseBy(tsa), authorityOf(newTsa({ serial: 8 })))).toMatchObject(untrusted)
    expect(await check(responseBy(tsa), authorityOf(tsa, { certificates: [] }))).toMatchObject(untrusted)
  })

  it('attack: a foreign authority under the names and serial number of a trusted one', async () => {
    const imposter = newTsa()
    expect(await check(responseBy(imposter), authorityOf(tsa))).toMatchObject(untrusted)
    expect(await check(responseBy(imposter, { certificates: [imposter.leaf] }), authorityOf(tsa))).toMatchObject(untrusted)
    expect(await check(responseBy(imposter, { certificates: [tsa.leaf, imposter.leaf] }), authorityOf(tsa))).toMatchObject(untrusted)
  })

  it('attack: a foreign certificate put into a token of a trusted authority, alone or beside the right one', async () => {
    const { leaf } = newTsa()
    for (const certificates of [[leaf], [tsa.leaf, leaf], [tsa.root]]) {
      expect(await check(responseBy(tsa, { certificates }), authorityOf(tsa))).toMatchObject(untrusted)
    }
  })

  it('attack: an embedded certificate that the trusted issuer did not sign', async () => {
    const imposter = newTsa()
    const issuerOnly = authorityOf(tsa, { certificates: [tsa.root] })
    expect(await check(responseBy(imposter, { certificates: [imposter.leaf] }), issuerOnly)).toMatchObject(untrusted)
  })

  it('a moment outside the trust in the authority', async () => {
    for (const validFor of [{ start: genTimeMs + 1 }, { start: 0, end: genTimeMs - 1 }]) {
      expect(await check(responseBy(tsa), authorityOf(tsa, { validFor }))).toMatchObject(untrusted)
    }
  })

  it('when the certificate of the authority was not valid at the time', async () => {
    for (const time of [start2026 - 1, end2026 + 1]) {
      expect(await check(responseBy(tsa, { genTimeMs: time }), authorityOf(tsa))).toMatchObject(untrusted)
    }
  })

  const leaves: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ['is not critical', [extensions.purposes(false, purposeOid.timeStamping)]],
    ['is one of two', [extensions.purposes(true, purposeOid.timeStamping, purposeOid.codeSigning)]],
    ['is another', [extensions.purposes(true, purposeOid.codeSigning)]],
  ]
  it.each(leaves)('when the purpose of the certificate %s', async (_, wanted) => {
    const unfit = newTsa({ extensions: wanted })
    expect(await check(responseBy(unfit), authorityOf(unfit))).toMatchObject(untrusted)
  })
})

describe('a timestamp is refused as timestamp_invalid', () => {
  const invalid = { ok: false, code: 'timestamp_invalid' }

  it('attack: a timestamp of another signature', async () => {
    expect(await check(responseBy(tsa, { message: utf8('another') }), authorityOf(tsa))).toMatchObject(invalid)
  })

  it('even when a later entry of the same authority is refused for its time alone', async () => {
    const past = authorityOf(tsa, { validFor: { start: 0, end: 1 } })
    expect(await check(responseBy(tsa, { message: utf8('another') }), authorityOf(tsa), past)).toMatchObject(invalid)
  })

  it('attack: TSTInfo altered after signing', async () => {
    const alterInfo = (info: Uint8Array): Uint8Array => info.with(info.length - 2, 0x39)
    expect(await check(responseBy(tsa, { alterInfo }), authorityOf(tsa))).toMatchObject(invalid)
  })

  const three = (info: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] => [
    attributes.contentType(),
    attributes.messageDigest(info),
    attributes.signingCertificateV2(tsa.leaf),
  ]
  const renamed = issue({ issuer: tsa.rootIssuer, subject: nameOf('other'), key: tsa.key, extensions: [extensions.timeStamping()] })
  const otherSerial = derSequence(derSequence(derExplicit(4, tsa.rootIssuer.name)), derInteger(8))
  const wrong: readonly (readonly [string, (info: Uint8Array) => readonly Uint8Array[]])[] = [
    ['no content type', (info) => three(info).slice(1)],
    ['another content type', (info) => [attributes.contentType(cmsOid.data), ...three(info).slice(1)]],
    ['no message digest', (info) => [three(info)[0], three(info)[2]]],
    ['the digest of something else', (info) => [three(info)[0], attributes.messageDigest(utf8('x')), three(info)[2]]],
    ['no name of its certificate', (info) => three(info).slice(0, 2)],
    ['the name of another certificate of the same key', (info) => [...three(info).slice(0, 2), attributes.signingCertificateV2(renamed)]],
    ['another serial number', (info) => [...three(info).slice(0, 2), attributes.signingCertificateV2(tsa.leaf, otherSerial)]],
    ['a name of its certificate by SHA-1 alone', (info) => [...three(info).slice(0, 2), attributes.signingCertificate(tsa.leaf)]],
  ]
  it.each(wrong)('when its signed attributes have %s', async (_, build) => {
    expect(await check(responseBy(tsa, { attributes: build }), authorityOf(tsa))).toMatchObject(invalid)
  })

  it('never proves another time, and fails with a code only, when any byte is altered', async () => {
    const response = responseBy(tsa, { certificates: [tsa.leaf] })
    const authority = authorityOf(tsa)
    const provenTime = async (altered: Uint8Array): Promise<number | undefined> => {
      if (refusal(() => parseTimestampResponse(altered)) !== undefined) return undefined
      const result = await check(altered, authority)
      return result.ok ? result.timeMs : undefined
    }
    // The status of the response and the version of SignedData are outside the signature: altered, they may prove the same time.
    await fc.assert(
      fc.asyncProperty(fc.nat(response.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        expect([undefined, genTimeMs]).toContain(await provenTime(response.with(at, (response[at] as number) ^ mask)))
        expect(await provenTime(response.subarray(0, at))).toBeUndefined()
      }),
      { numRuns: 500 },
    )
    expect(await provenTime(response)).toBe(genTimeMs)
  })
})
