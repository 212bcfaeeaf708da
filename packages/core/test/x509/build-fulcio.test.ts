import { X509Certificate } from 'node:crypto'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseDer, readSequence, readOid } from '../../src/der/reader.ts'
import { utf8 } from '../../src/bytes.ts'
import { fulcioWriter, type FulcioClaims, type FulcioLeaf, type FulcioTbs, type FulcioWriter } from '../../src/x509/build-fulcio.ts'
import { keyIdentifier, type WrittenName } from '../../src/x509/build-extensions.ts'
import { encodeName } from '../../src/x509/build-name.ts'
import { parseCertificate, type Certificate } from '../../src/x509/certificate.ts'
import { fulcioIdentity } from '../../src/x509/fulcio.ts'
import { extensionOid, purposeOid } from '../../src/x509/oids.ts'
import { encodeSctList, leafIndexExtension, leafIndexOf, tlsAlgorithmOf } from '../../src/x509/sct-encode.ts'
import { embeddedScts, precertificateTbs, sctSignedData, verifyScts, type SignedCertificateTimestamp } from '../../src/x509/sct.ts'
import { refusal } from '../refusal.ts'
import { newPair } from './keys.ts'
import { peculiar } from './peculiar.ts'

const issuerUrl = 'https://issuer.example'
const now = Date.UTC(2026, 5, 1, 12)
const authority = newPair('P-256')
const log = newPair('P-256')
const signerKey = newPair('P-256')

describe('signing certificates as they are written', () => {
  let writer: FulcioWriter
  let issuerKeyId: Uint8Array
  const issuerName = encodeName({ organization: 'Example', commonName: 'Example Intermediate' })

  beforeAll(async () => {
    issuerKeyId = await keyIdentifier(nodePrimitives, authority.key)
    writer = fulcioWriter({ name: issuerName, keyId: issuerKeyId }, authority.signer.algorithm)
  })

  async function tbsOf(name: WrittenName, claims: FulcioClaims = {}): Promise<FulcioTbs> {
    const leaf: FulcioLeaf = {
      serial: Uint8Array.from({ length: 20 }, (_, i) => i + 1),
      notBeforeMs: now,
      notAfterMs: now + 600_000,
      key: signerKey.key,
      keyId: await keyIdentifier(nodePrimitives, signerKey.key),
      name,
      claims: { '1': issuerUrl, '8': issuerUrl, ...claims },
    }
    return writer.tbs(leaf)
  }

  async function signed(tbs: Uint8Array): Promise<Certificate> {
    return parseCertificate(writer.certificate(tbs, await authority.signer.sign(tbs)))
  }

  async function sctOver(tbs: Uint8Array): Promise<SignedCertificateTimestamp> {
    const issuerKeyHash = await nodePrimitives.hash('sha256', authority.key.spki)
    const body = { timestampMs: now + 5, extensions: leafIndexExtension(70_000) }
    const signature = await log.signer.sign(sctSignedData(body, issuerKeyHash, tbs))
    return { logId: await nodePrimitives.hash('sha256', log.key.spki), ...body, ...tlsAlgorithmOf(log.signer.algorithm), signature }
  }

  it('have an empty subject, one critical alternative name, one use and one purpose, and the identifiers of both keys', async () => {
    const read = await signed((await tbsOf({ kind: 'email', value: 'ann@example.com' })).logged)
    expect(read.subject.text).toBe('')
    expect(read.issuer.raw).toEqual(issuerName)
    expect(read.alternativeNames).toEqual([{ kind: 'email', value: 'ann@example.com' }])
    expect(read.extensions.get(extensionOid.subjectAltName)?.critical).toBe(true)
    expect([...(read.keyUsage ?? [])]).toEqual(['digitalSignature'])
    expect(read.extensions.get(extensionOid.keyUsage)?.critical).toBe(true)
    expect(read.extKeyUsage).toEqual([purposeOid.codeSigning])
    expect(read.authorityKeyId?.keyId).toEqual(issuerKeyId)
    expect(read.subjectKeyId).toEqual(await keyIdentifier(nodePrimitives, signerKey.key))
    expect(read.basicConstraints).toBeUndefined()
    expect(read.notAfterMs - read.notBeforeMs).toBe(600_000)
  })

  it('write extensions 1 to 6 as bare bytes and the others as UTF8String', async () => {
    const read = await signed((await tbsOf({ kind: 'uri', value: 'https://git.example/a' }, { '2': 'push', '9': 'sigñer' })).logged)
    const value = (arc: string): Uint8Array | undefined => read.extensions.get(`1.3.6.1.4.1.57264.1.${arc}`)?.value
    expect(value('1')).toEqual(utf8(issuerUrl))
    expect(value('2')).toEqual(utf8('push'))
    expect(value('9')?.[0]).toBe(0x0c)
    expect(fulcioIdentity(read)).toEqual({
      issuer: issuerUrl,
      subject: 'https://git.example/a',
      subjectKind: 'uri',
      extensions: { '1': issuerUrl, '2': 'push', '8': issuerUrl, '9': 'sigñer' },
    })
  })

  it('write a user name as OtherName', async () => {
    const read = await signed((await tbsOf({ kind: 'username', value: 'jörg!example.com' })).logged)
    expect(read.alternativeNames).toEqual([{ kind: 'username', value: 'jörg!example.com' }])
  })

  it('leave out claims that are empty', async () => {
    const read = await signed((await tbsOf({ kind: 'email', value: 'a@b.example' }, { '23': '' })).logged)
    expect(read.extensions.has('1.3.6.1.4.1.57264.1.23')).toBe(false)
  })

  it('are refused without an issuer, and for an address that is not ASCII', async () => {
    const leaf = { serial: Uint8Array.of(1), notBeforeMs: now, notAfterMs: now, key: signerKey.key, keyId: issuerKeyId }
    const name = { kind: 'email', value: 'a@b.example' } as const
    expect(refusal(() => writer.tbs({ ...leaf, name, claims: { '1': issuerUrl } }))).toBe('certificate_unsuitable')
    const claims = { '1': issuerUrl, '8': issuerUrl }
    expect(refusal(() => writer.tbs({ ...leaf, name: { kind: 'email', value: 'ä@b.example' }, claims }))).toBe('der_malformed')
  })

  it('carry the poison last in a precertificate, critical, so that nobody may use it', async () => {
    const read = await signed((await tbsOf({ kind: 'email', value: 'a@b.example' })).precertificate)
    expect([...read.extensions.keys()].at(-1)).toBe(extensionOid.precertificatePoison)
    expect(read.unsupportedCritical).toEqual([extensionOid.precertificatePoison])
    expect(read.extensions.get(extensionOid.precertificatePoison)?.value).toEqual(Uint8Array.of(5, 0))
  })

  it('carry timestamps last, over exactly what the log was shown, which our verifier accepts', async () => {
    const tbs = await tbsOf({ kind: 'email', value: 'a@b.example' })
    const leaf = await signed(tbs.withScts(encodeSctList([await sctOver(tbs.logged)])))
    expect([...leaf.extensions.keys()].at(-1)).toBe(extensionOid.sctList)
    expect(precertificateTbs(leaf)).toEqual(tbs.logged)
    const [sct] = embeddedScts(leaf)
    expect(leafIndexOf(sct?.extensions ?? new Uint8Array())).toBe(70_000)
    const results = await verifyScts({
      leaf,
      issuerSpki: authority.key.spki,
      ctLogs: [
        {
          baseUrl: 'https://host.example/ct',
          hashAlgorithm: 'sha256',
          logId: await nodePrimitives.hash('sha256', log.key.spki),
          publicKey: log.key,
          algorithm: log.signer.algorithm.name,
          validFor: { start: 0 },
        },
      ],
      primitives: nodePrimitives,
    })
    expect(results).toEqual([expect.objectContaining({ ok: true, timestampMs: now + 5 })])
  })

  it('are read by Node and by @peculiar/x509 as they were meant', async () => {
    const tbs = await tbsOf({ kind: 'uri', value: 'https://git.example/a@refs/heads/main' })
    const { raw } = await signed(tbs.withScts(encodeSctList([await sctOver(tbs.logged)])))
    expect(new X509Certificate(raw).subjectAltName).toContain('URI:https://git.example/a@refs/heads/main')
    const oracle = new peculiar.X509Certificate(new Uint8Array(raw))
    expect(oracle.getExtension(peculiar.SubjectAlternativeNameExtension)?.names.toJSON()).toEqual([
      { type: 'url', value: 'https://git.example/a@refs/heads/main' },
    ])
    const key = await crypto.subtle.importKey('spki', new Uint8Array(authority.key.spki), { name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'verify',
    ])
    expect(await oracle.verify({ publicKey: key, signatureOnly: true })).toBe(true)
  })

  it('write the extensions in the order of the reference', async () => {
    const { logged } = await tbsOf({ kind: 'email', value: 'a@b.example' }, { '24': 'x', '6': 'y' })
    const list = readSequence(readSequence(parseDer(logged)).at(-1)?.children()[0])
    expect(list.map((each) => readOid(each.children()[0]).replace('1.3.6.1.4.1.57264.1.', ''))).toEqual([
      extensionOid.keyUsage,
      extensionOid.extKeyUsage,
      extensionOid.subjectKeyIdentifier,
      extensionOid.authorityKeyIdentifier,
      extensionOid.subjectAltName,
      '1',
      '6',
      '8',
      '24',
    ])
  })
})
