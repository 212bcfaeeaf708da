import { X509Certificate } from 'node:crypto'
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { concatBytes } from '../../src/bytes.ts'
import { encodePem } from '../../src/pem.ts'
import { intermediateFields, rootFields, timestampFields, type AuthorityIssuer } from '../../src/x509/build-authority.ts'
import { keyIdentifier } from '../../src/x509/build-extensions.ts'
import { encodeName } from '../../src/x509/build-name.ts'
import { buildCertificate, encodeSerial } from '../../src/x509/build.ts'
import { parseCertificate } from '../../src/x509/certificate.ts'
import { extensionOid, purposeOid } from '../../src/x509/oids.ts'
import { refusal } from '../refusal.ts'
import { newPair } from './keys.ts'
import { hasOpenssl, needsOpenssl, openssl } from './openssl.ts'
import { peculiar } from './peculiar.ts'

const start = Date.UTC(2026, 0, 1)
const end = Date.UTC(2060, 0, 1)

const serial = (last: number): Uint8Array => Uint8Array.of(0x7f, ...Array.from({ length: 18 }, () => 9), last)
const rootName = encodeName({ organization: 'Example', commonName: 'Example Root' })

describe('certificates of authorities as they are written', () => {
  const root = newPair('P-384')
  const intermediate = newPair('P-256')
  const timestamps = newPair('P-256')
  let rootIssuer: AuthorityIssuer
  let rootDer: Uint8Array
  let intermediateDer: Uint8Array
  let timestampDer: Uint8Array

  beforeAll(async () => {
    rootIssuer = { name: rootName, keyId: await keyIdentifier(nodePrimitives, root.key) }
    const validity = { notBeforeMs: start, notAfterMs: end }
    rootDer = await buildCertificate(
      await rootFields(nodePrimitives, { serial: serial(1), subject: rootName, key: root.key, ...validity }),
      root.signer,
    )
    const wish = { serial: serial(2), subject: encodeName({ commonName: 'Example Intermediate' }), key: intermediate.key, ...validity }
    intermediateDer = await buildCertificate(await intermediateFields(nodePrimitives, wish, rootIssuer), root.signer)
    const forTime = { serial: serial(3), subject: encodeName({ commonName: 'Example Time' }), key: timestamps.key, ...validity }
    timestampDer = await buildCertificate(await timestampFields(nodePrimitives, forTime, rootIssuer), root.signer)
  })

  it('are read back by our own reader as they were meant', () => {
    const read = parseCertificate(intermediateDer)
    expect(read.issuer.text).toBe('CN=Example Root,O=Example')
    expect(read.subject.text).toBe('CN=Example Intermediate')
    expect(read.basicConstraints).toEqual({ ca: true, pathLength: 0 })
    expect([...(read.keyUsage ?? [])]).toEqual(['keyCertSign', 'cRLSign'])
    expect(read.extKeyUsage).toEqual([purposeOid.codeSigning])
    expect(read.authorityKeyId?.keyId).toEqual(rootIssuer.keyId)
    expect([read.notBeforeMs, read.notAfterMs]).toEqual([start, end])
    expect(read.serial).toEqual(serial(2))
  })

  it('give a root without purposes and without a limit of the path', () => {
    const read = parseCertificate(rootDer)
    expect(read.basicConstraints).toEqual({ ca: true })
    expect(read.extKeyUsage).toBeUndefined()
    expect(read.subjectKeyId).toEqual(rootIssuer.keyId)
  })

  it('give a timestamp certificate its one purpose, critical', () => {
    const read = parseCertificate(timestampDer)
    expect(read.extKeyUsage).toEqual([purposeOid.timeStamping])
    expect(read.extensions.get(extensionOid.extKeyUsage)?.critical).toBe(true)
    expect(read.basicConstraints).toBeUndefined()
  })

  it('are accepted by Node and by @peculiar/x509, signatures included', async () => {
    const [ca, below] = [new X509Certificate(rootDer), new X509Certificate(intermediateDer)]
    expect(ca.verify(ca.publicKey)).toBe(true)
    expect(below.verify(ca.publicKey)).toBe(true)
    expect(below.checkIssued(ca)).toBe(true)
    expect(below.ca).toBe(true)
    const oracle = new peculiar.X509Certificate(new Uint8Array(intermediateDer))
    expect(
      await oracle.verify({ publicKey: new peculiar.X509Certificate(new Uint8Array(rootDer)).publicKey, date: new Date(start + 1000) }),
    ).toBe(true)
  })

  describe.skipIf(!hasOpenssl)(`with openssl ${needsOpenssl}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'build-'))
    afterAll(() => rmSync(folder, { recursive: true }))

    it('verify as a chain under -x509_strict', () => {
      writeFileSync(join(folder, 'root.pem'), encodePem('CERTIFICATE', rootDer))
      writeFileSync(join(folder, 'intermediate.pem'), encodePem('CERTIFICATE', intermediateDer))
      writeFileSync(join(folder, 'time.pem'), encodePem('CERTIFICATE', timestampDer))
      const strict = ['-x509_strict', '-CAfile', 'root.pem', '-attime', String(start / 1000 + 60)]
      expect(openssl(folder, 'verify', ...strict, 'intermediate.pem')).toContain('OK')
      expect(openssl(folder, 'verify', ...strict, '-purpose', 'timestampsign', 'time.pem')).toContain('OK')
    })
  })

  it.each(['ed25519', 'rsa'] as const)('are signed with %s as well', async (type) => {
    const own = newPair(type)
    const wish = { serial: serial(1), subject: rootName, key: own.key, notBeforeMs: start, notAfterMs: end }
    const certificate = new X509Certificate(await buildCertificate(await rootFields(nodePrimitives, wish), own.signer))
    expect(certificate.verify(certificate.publicKey)).toBe(true)
  })

  it('refuse a serial number of zero or of more than 20 bytes', () => {
    expect(refusal(() => encodeSerial(new Uint8Array(20)))).toBe('der_malformed')
    expect(refusal(() => encodeSerial(concatBytes(Uint8Array.of(0x80), new Uint8Array(19))))).toBe('der_malformed')
    expect(refusal(() => encodeSerial(serial(1)))).toBeUndefined()
  })
})
