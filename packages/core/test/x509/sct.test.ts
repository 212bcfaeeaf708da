import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { concatBytes, utf8 } from '../../src/bytes.ts'
import { derOctetString } from '../../src/der/writer.ts'
import { defaultAlgorithm } from '../../src/keys/algorithm.ts'
import { parsePublicKey } from '../../src/keys/public-key.ts'
import type { LogInstance, TimeRange } from '../../src/trust/model.ts'
import { webPrimitives } from '../../src/web-primitives.ts'
import { parseCertificate, type Certificate } from '../../src/x509/certificate.ts'
import { extensionOid } from '../../src/x509/oids.ts'
import { embeddedScts, precertificateTbs, sctSignedData, verifyScts, type SctResult } from '../../src/x509/sct.ts'
import { extension, extensions, issue, newAuthority, newKey, type KeyPair } from './issue.ts'
import { refusal } from '../refusal.ts'

const primitives = webPrimitives(crypto.subtle)
const authority = newAuthority()
const leafKey = newKey()
const timestampMs = Date.UTC(2026, 5, 1)
const ordinary = [extensions.codeSigning(), extensions.email('ada@example.com')]

const uint16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff)
const vector = (bytes: Uint8Array): Uint8Array => concatBytes(uint16(bytes.length), bytes)
const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest())

type TestLog = { readonly instance: LogInstance; readonly privateKey: KeyObject; readonly scheme: readonly [number, number] }

function newLog(validFor: TimeRange = { start: 0 }, type: 'ec' | 'rsa' | 'ed25519' = 'ec'): TestLog {
  const { privateKey, spki } = type === 'ec' ? newKey() : otherKey(type)
  const publicKey = parsePublicKey(spki)
  const instance: LogInstance = {
    baseUrl: 'https://ct.example',
    hashAlgorithm: 'sha256',
    publicKey,
    algorithm: defaultAlgorithm(publicKey).name,
    validFor,
    logId: sha256(spki),
  }
  return { instance, privateKey, scheme: type === 'ec' ? [4, 3] : type === 'rsa' ? [4, 1] : [8, 7] }
}

function otherKey(type: 'rsa' | 'ed25519'): KeyPair {
  const { privateKey, publicKey } = type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ed25519')
  return { privateKey, spki: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })) }
}

/** One SCT in TLS encoding. */
function serialize(
  logId: Uint8Array,
  scheme: readonly [number, number],
  extensionBytes: Uint8Array,
  signature: Uint8Array,
  version = 0,
): Uint8Array {
  const time = new Uint8Array(8)
  new DataView(time.buffer).setBigUint64(0, BigInt(timestampMs))
  return concatBytes(Uint8Array.of(version), logId, time, vector(extensionBytes), Uint8Array.of(...scheme), vector(signature))
}

function sctBy(log: TestLog, extensionBytes: Uint8Array = new Uint8Array()): Uint8Array {
  const tbs = parseCertificate(leafWith()).tbs
  const data = sctSignedData({ timestampMs, extensions: extensionBytes }, sha256(authority.issuer.key.spki), tbs)
  const signature = sign(log.scheme[1] === 7 ? null : 'sha256', data, log.privateKey)
  return serialize(log.instance.logId, log.scheme, extensionBytes, new Uint8Array(signature))
}

const listOf = (...scts: readonly Uint8Array[]): Uint8Array => vector(concatBytes(...scts.map(vector)))

/** The leaf, with a list of SCTs between its other extensions, or without. */
function leafWith(list?: Uint8Array): Uint8Array {
  const sctList = list === undefined ? [] : [extension(extensionOid.sctList, false, derOctetString(list))]
  return issue({ issuer: authority.issuer, key: leafKey, extensions: [...ordinary.slice(0, 1), ...sctList, ...ordinary.slice(1)] })
}

function check(leaf: Uint8Array, ...logs: readonly TestLog[]): Promise<readonly SctResult[]> {
  const ctLogs = logs.map((log) => log.instance)
  return verifyScts({ leaf: parseCertificate(leaf), issuerSpki: authority.issuer.key.spki, ctLogs, primitives })
}

describe('a signed certificate timestamp', () => {
  it.each(['ec', 'rsa', 'ed25519'] as const)(
    'holds when a log of the trusted root signed the precertificate with a key of type %s',
    async (type) => {
      const log = newLog({ start: 0 }, type)
      expect(await check(leafWith(listOf(sctBy(log))), log)).toEqual([
        { ok: true, logId: log.instance.logId, timestampMs, baseUrl: 'https://ct.example' },
      ])
    },
  )

  it('holds with the extensions of a static CT log, which are signed', async () => {
    const log = newLog()
    const leafIndex = Uint8Array.of(0, 0, 5, 0, 0, 0, 0, 9)
    const leaf = leafWith(listOf(sctBy(log, leafIndex)))
    expect(await check(leaf, log)).toMatchObject([{ ok: true }])
    const at = Buffer.from(leaf).indexOf(leafIndex)
    leaf[at + 7] = 8
    expect(await check(leaf, log)).toMatchObject([{ ok: false, reason: expect.stringContaining('signature is wrong') }])
  })

  it('is one of several, each with its own result', async () => {
    const [known, foreign] = [newLog(), newLog()]
    expect(await check(leafWith(listOf(sctBy(foreign), sctBy(known))), known)).toMatchObject([{ ok: false }, { ok: true }])
  })

  it('counts up to both ends of the validity of the log key, and no further', async () => {
    const keyless = newLog()
    const at = async (validFor: TimeRange): Promise<boolean | undefined> => {
      const log = { ...keyless, instance: { ...keyless.instance, validFor } }
      return (await check(leafWith(listOf(sctBy(log))), log))[0]?.ok
    }
    expect(await at({ start: timestampMs, end: timestampMs })).toBe(true)
    expect(await at({ start: timestampMs + 1 })).toBe(false)
    expect(await at({ start: 0, end: timestampMs - 1 })).toBe(false)
  })

  it('proves nothing when it is absent', async () => {
    expect(await check(leafWith(), newLog())).toEqual([])
    expect(embeddedScts(parseCertificate(leafWith()))).toEqual([])
  })

  it('proves nothing when the trusted root has no log', async () => {
    expect(await check(leafWith(listOf(sctBy(newLog()))))).toMatchObject([{ ok: false }])
  })

  it('attack: a timestamp of one certificate put into another', async () => {
    const log = newLog()
    const other = issue({
      issuer: authority.issuer,
      extensions: [...ordinary, extension(extensionOid.sctList, false, derOctetString(listOf(sctBy(log))))],
    })
    expect(await check(other, log)).toMatchObject([{ ok: false }])
  })

  it('attack: a log key of another kind that claims the identifier of a trusted log', async () => {
    const [trusted, foreign] = [newLog(), newLog({ start: 0 }, 'ed25519')]
    const forged: TestLog = { ...foreign, instance: { ...foreign.instance, logId: trusted.instance.logId } }
    expect(await check(leafWith(listOf(sctBy(forged))), trusted)).toMatchObject([
      { ok: false, reason: expect.stringContaining('does not fit') },
    ])
  })

  it('attack: the same timestamp under another issuer', async () => {
    const log = newLog()
    const leaf = parseCertificate(leafWith(listOf(sctBy(log))))
    const result = await verifyScts({ leaf, issuerSpki: newKey().spki, ctLogs: [log.instance], primitives })
    expect(result).toMatchObject([{ ok: false }])
  })
})

describe('the precertificate', () => {
  it('is the certificate without the list, byte for byte', () => {
    const leaf = parseCertificate(leafWith(listOf(sctBy(newLog()))))
    expect(precertificateTbs(leaf)).toEqual(parseCertificate(leafWith()).tbs)
  })

  it('has no field for extensions when the list was the only one', () => {
    const list = extension(extensionOid.sctList, false, derOctetString(listOf(sctBy(newLog()))))
    const wanted = { issuer: authority.issuer, key: leafKey }
    expect(precertificateTbs(parseCertificate(issue({ ...wanted, extensions: [list] })))).toEqual(parseCertificate(issue(wanted)).tbs)
  })
})

describe('a list of signed certificate timestamps', () => {
  const log = newLog()
  const good = sctBy(log)
  const read = (list: Uint8Array): unknown => embeddedScts(parseCertificate(leafWith(list)))
  const refused: readonly (readonly [string, Uint8Array])[] = [
    ['is empty', listOf()],
    ['holds an empty timestamp', listOf(new Uint8Array())],
    ['has bytes after it', concatBytes(listOf(good), Uint8Array.of(0))],
    ['is shorter than its length says', listOf(good).subarray(0, -1)],
    ['holds a timestamp with bytes after it', listOf(concatBytes(good, Uint8Array.of(0)))],
    ['holds a timestamp that ends too early', listOf(good.subarray(0, 40))],
    ['holds a timestamp of version 2', listOf(serialize(log.instance.logId, [4, 3], new Uint8Array(), utf8('x'), 1))],
    ['holds 17 timestamps', listOf(...Array.from({ length: 17 }, () => good))],
  ]
  it.each(refused)('is refused when it %s', async (_, list) => {
    expect(refusal(() => read(list))).toBe('sct_malformed')
    expect(await check(leafWith(list), log)).toMatchObject([{ ok: false }])
  })

  it('is refused when a time is beyond 2^53 milliseconds', () => {
    const altered = new Uint8Array(good)
    altered[33] = 0x80
    expect(refusal(() => read(listOf(altered)))).toBe('sct_malformed')
  })

  it('is refused when it is not an OCTET STRING', () => {
    const certificate: Certificate = parseCertificate(
      issue({ issuer: authority.issuer, extensions: [extension(extensionOid.sctList, false, listOf(good))] }),
    )
    expect(refusal(() => embeddedScts(certificate))).toBe('sct_malformed')
  })

  it('fails with a code, never otherwise, whatever its bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect([undefined, 'sct_malformed']).toContain(refusal(() => read(vector(bytes))))
      }),
    )
  })
})
