import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import { formatTime, parseTime } from '@countersign/core/trust/time-range'
import { parseTrustedRoot, serializeTrustedRoot } from '@countersign/core/trust/trusted-root'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { failureOf, refusal } from '../refusal.ts'

type Json = Record<string, unknown>
const spki = (kind: 'p256' | 'ed25519' | 'rsa'): string => {
  const { publicKey } =
    kind === 'p256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : kind === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ed25519')
  return publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
}
const p256 = spki('p256')
const validFor = { start: '2024-01-01T00:00:00Z', end: '2030-01-01T00:00:00Z' }
const keyId = Buffer.alloc(32, 1).toString('base64')
const log = (key: Json = {}, change: Json = {}): Json => ({
  baseUrl: 'https://log.example',
  hashAlgorithm: 'SHA2_256',
  publicKey: { rawBytes: p256, keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor, ...key },
  logId: { keyId },
  ...change,
})
const authority = (change: Json = {}): Json => ({
  subject: { organization: 'o', commonName: 'n' },
  uri: 'https://ca.example',
  certChain: { certificates: [{ rawBytes: 'AQID' }] },
  validFor: { start: '2024-01-01T00:00:00Z' },
  ...change,
})
const root = (change: Json = {}): Json => ({
  mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
  tlogs: [log()],
  certificateAuthorities: [authority()],
  ctlogs: [log()],
  timestampAuthorities: [authority()],
  ...change,
})
const parse = (value: Json) => parseTrustedRoot(JSON.stringify(value))
const code = (value: Json): string | undefined => refusal(() => parse(value))

describe('parseTrustedRoot', () => {
  it('reads logs and authorities, with both ends of their validity', () => {
    expect(parse(root())).toMatchObject({
      logs: [
        {
          baseUrl: 'https://log.example',
          hashAlgorithm: 'sha256',
          algorithm: 'PKIX_ECDSA_P256_SHA_256',
          validFor: { start: 1_704_067_200_000, end: 1_893_456_000_000 },
        },
      ],
      certificateAuthorities: [{ organization: 'o', commonName: 'n', certificates: [Uint8Array.of(1, 2, 3)] }],
      ctLogs: [{}],
      timestampAuthorities: [{ validFor: { start: 1_704_067_200_000 } }],
    })
  })

  it('is undone by serializeTrustedRoot, byte for byte', () => {
    expect(fromUtf8(serializeTrustedRoot(parse(root())))).toBe(JSON.stringify(root()))
  })

  it('gives empty lists for absent ones: they refuse, they waive nothing', () => {
    expect(parse({ mediaType: root()['mediaType'] })).toEqual({
      logs: [],
      certificateAuthorities: [],
      ctLogs: [],
      timestampAuthorities: [],
    })
  })

  it.each(['application/vnd.dev.sigstore.trustedroot.v0.1+json', 'application/vnd.dev.sigstore.trustedroot.v0.2+json'])(
    'reads the newer media type %s',
    (mediaType) => {
      expect(code(root({ mediaType }))).toBeUndefined()
    },
  )

  it('reads Ed25519 logs, and RSA logs under their deprecated name', () => {
    expect(parse(root({ tlogs: [log({ rawBytes: spki('ed25519'), keyDetails: 'PKIX_ED25519' })] })).logs[0]?.publicKey.type).toBe('ed25519')
    const rsa = parse(root({ tlogs: [log({ rawBytes: spki('rsa'), keyDetails: 'PKIX_RSA_PKCS1V5' })] })).logs[0]
    expect(rsa?.algorithm).toBe('PKIX_RSA_PKCS1V15_2048_SHA256')
  })

  it('leaves out a log whose key it cannot use, which then verifies nothing', () => {
    expect(parse(root({ tlogs: [log({ keyDetails: 'ML_DSA_65' }), log()] })).logs).toHaveLength(1)
  })

  it.each([
    ['another media type', root({ mediaType: 'application/json' })],
    ['no media type', root({ mediaType: undefined })],
    ['an unknown field', root({ extra: [] })],
    ['a log whose validity has no start', root({ tlogs: [log({ validFor: { end: '2030-01-01T00:00:00Z' } })] })],
    ['a log without validity', root({ tlogs: [log({ validFor: undefined })] })],
    ['a CT log whose validity has no start', root({ ctlogs: [log({ validFor: {} })] })],
    ['a validity that ends before it starts', root({ tlogs: [log({ validFor: { start: validFor.end, end: validFor.start } })] })],
    ['a log without key identifier', root({ tlogs: [log({}, { logId: undefined })] })],
    ['a key that is not of the algorithm named', root({ tlogs: [log({ keyDetails: 'PKIX_ED25519' })] })],
    ['an algorithm that nobody defined', root({ tlogs: [log({ keyDetails: 'PKIX_SHA1' })] })],
    ['a key that is none', root({ tlogs: [log({ rawBytes: 'AQID' })] })],
    ['an unknown hash', root({ tlogs: [log({}, { hashAlgorithm: 'SHA1' })] })],
    ['an authority without certificates', root({ certificateAuthorities: [authority({ certChain: { certificates: [] } })] })],
    ['an authority without validity', root({ timestampAuthorities: [authority({ validFor: undefined })] })],
  ])('refuses %s', (_, value) => {
    expect(code(value)).toBe('trusted_root_malformed')
  })

  it('names the place of the failure', () => {
    expect(failureOf(() => parse(root({ tlogs: [log(), log({ validFor: {} })] })))?.message).toMatch(
      /^\$\.tlogs\[1\]\.publicKey\.validFor\.start: /,
    )
  })

  it('refuses mutants with its own code and nothing else', () => {
    const text = JSON.stringify(root())
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ unit: 'binary', maxLength: 2 }), (at, replacement) => {
        expect([undefined, 'trusted_root_malformed']).toContain(
          refusal(() => parseTrustedRoot(utf8(text.slice(0, at) + replacement + text.slice(at + 1)).slice())),
        )
      }),
    )
  })
})

describe('times of validity', () => {
  it.each([
    ['2024-02-29T12:34:56Z', Date.UTC(2024, 1, 29, 12, 34, 56)],
    ['2021-01-12T11:53:27.000Z', Date.UTC(2021, 0, 12, 11, 53, 27)],
    ['2021-01-12T11:53:27.123999999Z', Date.UTC(2021, 0, 12, 11, 53, 27, 123)],
    ['2021-01-12T11:53:27+02:30', Date.UTC(2021, 0, 12, 9, 23, 27)],
    ['2021-12-31T23:00:00-01:30', Date.UTC(2022, 0, 1, 0, 30)],
    ['0001-01-01T00:00:00Z', -62_135_596_800_000],
  ])('reads %s', (text, timeMs) => {
    expect(parseTime(text)).toBe(timeMs)
  })

  it.each([
    '',
    '2024-02-30T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:60:00Z',
    '2024-01-01T00:00:60Z',
    '2024-01-01T00:00:00',
    '2024-01-01 00:00:00Z',
    '2024-01-01t00:00:00z',
    '2024-13-01T00:00:00Z',
    '2024-00-01T00:00:00Z',
    '2024-01-01T00:00:00.Z',
    '2024-01-01T00:00:00.1234567890Z',
    '2024-01-01T00:00:00+24:00',
    '12024-01-01T00:00:00Z',
  ])('refuses %j', (text) => {
    expect(parseTime(text)).toBeUndefined()
  })

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(
        fc.date({ noInvalidDate: true, min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z') }),
        (date) => {
          expect(parseTime(formatTime(date.getTime()))).toBe(date.getTime())
        },
      ),
    )
  })
})

const folder = vectorsFolder()
describe.skipIf(folder === undefined)('trusted roots in the world', () => {
  it.each(['tr-empty', 'tr-full', 'tr-tsa'])("cosign's %s is read and written back byte for byte", (name) => {
    const document = readFileSync(join(folder ?? '', `cosign-3.1.1/config/${name}.json`))
    expect(fromUtf8(serializeTrustedRoot(parseTrustedRoot(document)))).toBe(document.toString().trimEnd())
  })

  it('the public-good root is read: two logs, one with the key identifier of C2SP', () => {
    const trusted = parseTrustedRoot(readFileSync(join(folder ?? '', 'sigstore-public-good/trusted_root.json')))
    expect(trusted.logs.map((one) => one.baseUrl)).toEqual(['https://rekor.sigstore.dev', 'https://log2025-1.rekor.sigstore.dev'])
    expect(trusted.certificateAuthorities.length).toBeGreaterThan(0)
    expect(trusted.ctLogs.length).toBeGreaterThan(0)
  })

  it('those of the conformance suite are read, but the one whose log has no start', () => {
    const cases = join(folder ?? '', 'sigstore-conformance/bundle-verify')
    for (const name of readdirSync(cases).filter((one) => existsSync(join(cases, one, 'trusted_root.json')))) {
      const expected = name === 'trust-root-tlog-missing-validity-start_fail' ? 'trusted_root_malformed' : undefined
      expect([name, refusal(() => parseTrustedRoot(readFileSync(join(cases, name, 'trusted_root.json'))))]).toEqual([name, expected])
    }
  })
})
