import { X509Certificate as NodeCertificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Certificate as PkiCertificate } from 'pkijs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { bytesToHex, concatBytes, utf8 } from '../../src/bytes.ts'
import { parseDer, readSequence } from '../../src/der/reader.ts'
import {
  derBitString,
  derBoolean,
  derElement,
  derExplicit,
  derInteger,
  derOctetString,
  derOid,
  derPrintableString,
  derSequence,
  derSet,
  derUtf8String,
} from '../../src/der/writer.ts'
import { CountersignError, type FailureCode } from '../../src/failure.ts'
import { webPrimitives } from '../../src/web-primitives.ts'
import { parseCertificate } from '../../src/x509/certificate.ts'
import { isSignedBy } from '../../src/x509/chain.ts'
import { algorithmOid, extensionOid } from '../../src/x509/oids.ts'
import { end2026, extension, extensions, issue, nameOf, newAuthority, newKey, start2026, type Issuer } from './issue.ts'
import { hasOpenssl, needsOpenssl, openssl } from './openssl.ts'

const primitives = webPrimitives(crypto.subtle)
const issuer: Issuer = { name: nameOf('test authority'), key: newKey() }

function codeOf(der: Uint8Array): FailureCode | undefined {
  try {
    parseCertificate(der)
  } catch (error) {
    if (error instanceof CountersignError) return error.code
    throw error
  }
  return undefined
}

describe.skipIf(!hasOpenssl)(`certificates that OpenSSL writes ${needsOpenssl}`, () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'certificates-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const kinds: readonly (readonly [string, readonly string[]])[] = [
    ['P-256 with SHA-256', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-sha256']],
    ['P-384 with SHA-256', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha256']],
    ['P-384 with SHA-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384']],
    ['P-521 with SHA-512', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521', '-sha512']],
    ['RSA PKCS#1 v1.5 with SHA-256', ['-newkey', 'rsa:2048', '-sha256']],
    ['RSA PKCS#1 v1.5 with SHA-512', ['-newkey', 'rsa:2048', '-sha512']],
    ['RSASSA-PSS', ['-newkey', 'rsa:2048', '-sha256', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest']],
    ['Ed25519', ['-newkey', 'ed25519']],
  ]
  it.each(kinds)('are read, and their signatures verified: %s', async (_, options) => {
    const der = selfSigned(folder, [...options, '-subj', '/C=AT/O=A, B & C/CN=Zoë', '-utf8', '-days', '30'])
    const certificate = parseCertificate(der)
    const oracle = PkiCertificate.fromBER(der)
    const node = new NodeCertificate(der)
    expect(certificate.notBeforeMs).toBe(oracle.notBefore.value.getTime())
    expect(certificate.notAfterMs).toBe(oracle.notAfter.value.getTime())
    expect(BigInt(`0x${bytesToHex(certificate.serial)}`)).toBe(BigInt(`0x${node.serialNumber}`))
    expect(certificate.spki).toEqual(new Uint8Array(node.publicKey.export({ type: 'spki', format: 'der' })))
    expect([...certificate.extensions.keys()]).toEqual(oracle.extensions?.map((each) => each.extnID))
    expect(certificate.subject.text).toBe(String.raw`CN=Zoë,O=A\, B & C,C=AT`)
    expect(certificate.basicConstraints).toEqual({ ca: true })
    expect(await isSignedBy(certificate, certificate, primitives)).toBe(true)
    const altered = new Uint8Array(der)
    altered[der.length - 5] = (altered[der.length - 5] as number) ^ 1
    expect(await isSignedBy(parseCertificate(altered), certificate, primitives)).toBe(false)
  })

  it('have the alternative names, purposes and key usage that were asked for', () => {
    const der = selfSigned(folder, [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-subj',
      '/CN=x',
      '-addext',
      'subjectAltName=email:a@b.example,URI:https://b.example/x,DNS:b.example,IP:10.0.0.1,IP:2001:db8::1',
      '-addext',
      'extendedKeyUsage=critical,codeSigning,timeStamping',
      '-addext',
      'keyUsage=critical,digitalSignature,keyCertSign',
    ])
    const certificate = parseCertificate(der)
    expect(certificate.alternativeNames).toEqual([
      { kind: 'email', value: 'a@b.example' },
      { kind: 'uri', value: 'https://b.example/x' },
      { kind: 'dns', value: 'b.example' },
      { kind: 'ip', value: '10.0.0.1' },
      { kind: 'ip', value: '2001:db8:0:0:0:0:0:1' },
    ])
    expect(certificate.extKeyUsage).toEqual(['1.3.6.1.5.5.7.3.3', '1.3.6.1.5.5.7.3.8'])
    expect([...(certificate.keyUsage ?? [])]).toEqual(['digitalSignature', 'keyCertSign'])
    expect(certificate.subjectKeyId).toEqual(certificate.authorityKeyId?.keyId)
    expect(certificate.unsupportedCritical).toEqual([])
  })
})

/** A self-signed certificate by the `openssl` command, DER. */
function selfSigned(folder: string, options: readonly string[]): Uint8Array {
  const out = path.join(folder, 'certificate.der')
  const key = path.join(folder, 'key.pem')
  openssl(folder, 'req', '-x509', '-nodes', '-keyout', key, '-outform', 'DER', '-out', out, ...options)
  return new Uint8Array(readFileSync(out))
}

describe('a certificate', () => {
  it('is read as other programs read it', () => {
    const { intermediate } = newAuthority()
    const certificate = parseCertificate(intermediate)
    const oracle = new NodeCertificate(intermediate)
    expect(oracle.subject).toBe(certificate.subject.text)
    expect(oracle.issuer).toBe(certificate.issuer.text)
    expect(oracle.ca).toBe(certificate.basicConstraints?.ca)
    expect(certificate).toMatchObject({ notBeforeMs: start2026, notAfterMs: end2026, basicConstraints: { ca: true, pathLength: 0 } })
  })

  it('may carry a user name as an OtherName of Fulcio', () => {
    const name = derElement(0xa0, concatBytes(derOid('1.3.6.1.4.1.57264.1.7'), derExplicit(0, derUtf8String('ada!example.com'))))
    const der = issue({ issuer, extensions: [extension(extensionOid.subjectAltName, true, derSequence(name))] })
    expect(parseCertificate(der).alternativeNames).toEqual([{ kind: 'username', value: 'ada!example.com' }])
  })

  it('keeps alternative names of other kinds, so that they count', () => {
    const foreign = derElement(0xa0, concatBytes(derOid('1.2.3'), derExplicit(0, derUtf8String('x'))))
    const registered = derElement(0x88, Uint8Array.of(0x2a))
    const der = issue({ issuer, extensions: [extension(extensionOid.subjectAltName, false, derSequence(foreign, registered))] })
    expect(parseCertificate(der).alternativeNames.map((name) => name.kind)).toEqual(['unsupported', 'unsupported'])
  })

  it('remembers critical extensions that it does not understand, and name constraints in any case', () => {
    const der = issue({
      issuer,
      extensions: [
        extension('1.2.3.4', true, derOctetString(new Uint8Array())),
        extension('1.2.3.5', false, derOctetString(new Uint8Array())),
        extension(extensionOid.nameConstraints, false, derSequence()),
        extension(extensionOid.certificatePolicies, true, derSequence()),
      ],
    })
    expect(parseCertificate(der).unsupportedCritical).toEqual(['1.2.3.4', extensionOid.nameConstraints])
  })

  it('shows no control character of a name, and a name of no text as hex', () => {
    const name = derSequence(
      derSet(derSequence(derOid('2.5.4.10'), derUtf8String('a\u001b[31m'))),
      derSet(derSequence(derOid('2.5.4.3'), derInteger(5))),
      derSet(derSequence(derOid('1.2.3'), derPrintableString('#x '))),
    )
    expect(parseCertificate(issue({ issuer, subject: name })).subject.text).toBe(String.raw`1.2.3=\#x\ ,CN=#020105,O=a\1b[31m`)
  })

  const refused: readonly (readonly [string, () => Uint8Array])[] = [
    ['two extensions of one kind', () => issue({ issuer, extensions: [twice(), extensions.keyUsage('keyCertSign'), twice()] })],
    ['an empty list of extensions', () => issue({ issuer, extensions: [] })],
    [
      '65 extensions',
      () => issue({ issuer, extensions: Array.from({ length: 65 }, (_, i) => extension(`1.2.${i}`, false, derSequence())) }),
    ],
    ['extensions in version 1', () => issue({ issuer, version: 1, extensions: [twice()] })],
    ['an unknown version', () => issue({ issuer, version: 3 })],
    ['a negative serial number', () => issue({ issuer, serial: -1 })],
    [
      'another signature algorithm outside than inside',
      () => issue({ issuer, innerAlgorithm: derSequence(derOid(algorithmOid.ecdsaWithSha512)) }),
    ],
    [
      'a path length without being an authority',
      () => issue({ issuer, extensions: [extension(extensionOid.basicConstraints, true, derSequence(derInteger(0)))] }),
    ],
    [
      'an encoding of a default value that is not a BOOLEAN of DER',
      () => issue({ issuer, extensions: [extension(extensionOid.basicConstraints, true, derSequence(derElement(1, Uint8Array.of(1))))] }),
    ],
    ['no purpose in its extended key usage', () => issue({ issuer, extensions: [extensions.purposes(false)] })],
    [
      'no alternative name in the extension for them',
      () => issue({ issuer, extensions: [extension(extensionOid.subjectAltName, true, derSequence())] }),
    ],
    ['a NUL in an alternative name', () => issue({ issuer, extensions: [extensions.email('a@good.example\0.evil.example')] })],
    ['a line break in an alternative name', () => issue({ issuer, extensions: [extensions.email('a@good.example\n')] })],
    ['an empty alternative name', () => issue({ issuer, extensions: [extensions.email('')] })],
    ['an alternative name outside ASCII', () => issue({ issuer, extensions: [extensions.email('é@b.example')] })],
    ['bytes after it', () => concatBytes(issue({ issuer }), Uint8Array.of(0))],
    ['a fourth field', () => derSequence(...readSequence(parseDer(issue({ issuer }))).map((field) => field.raw), derInteger(1))],
    ['a signature that is not whole bytes', () => withSignature(derBitString(Uint8Array.of(0x80), 1))],
    ['an unknown field', () => withExtraTbsField(derExplicit(4, derInteger(1)))],
    ['its extensions twice', () => withExtraTbsField(derExplicit(3, derSequence(twice())))],
    [
      'a critical flag with another type',
      () => issue({ issuer, extensions: [derSequence(derOid('1.2'), derInteger(1), derOctetString(utf8('')))] }),
    ],
    [
      'an extension of four fields',
      () => issue({ issuer, extensions: [derSequence(derOid('1.2'), derBoolean(true), derOctetString(utf8('')), derInteger(1))] }),
    ],
  ]
  it.each(refused)('is refused when it has %s', (_, build) => {
    expect(codeOf(build())).toBe('certificate_malformed')
  })

  it('is refused when larger than 64 KiB', () => {
    expect(codeOf(new Uint8Array(64 * 1024 + 1))).toBe('der_too_large')
  })

  it('fails with a code, never otherwise, when any byte is altered or the end is cut off', () => {
    const der = newAuthority().intermediate
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const altered = new Uint8Array(der)
        altered[at] = (altered[at] as number) ^ mask
        codeOf(altered)
        expect(codeOf(der.subarray(0, at))).toBe('certificate_malformed')
      }),
      { numRuns: 2000 },
    )
  })
})

function withSignature(signature: Uint8Array): Uint8Array {
  const [tbs, algorithm] = readSequence(parseDer(issue({ issuer })))
  return derSequence(tbs?.raw ?? utf8(''), algorithm?.raw ?? utf8(''), signature)
}

function withExtraTbsField(extra: Uint8Array): Uint8Array {
  const [tbs, algorithm, signature] = readSequence(parseDer(issue({ issuer, extensions: [twice()] })))
  const fields = tbs?.children().map((field) => field.raw) ?? []
  return derSequence(derSequence(...fields, extra), algorithm?.raw ?? utf8(''), signature?.raw ?? utf8(''))
}

function twice(): Uint8Array {
  return extensions.subjectKeyId('a')
}
