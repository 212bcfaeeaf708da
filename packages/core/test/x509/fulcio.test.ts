import { describe, expect, it } from 'vitest'
import { concatBytes, utf8 } from '../../src/bytes.ts'
import { derElement, derExplicit, derIa5String, derOid, derSequence, derUtf8String } from '../../src/der/writer.ts'
import { CountersignError, type FailureCode } from '../../src/failure.ts'
import { parseCertificate } from '../../src/x509/certificate.ts'
import { fulcioExtensionNames, fulcioIdentity, type FulcioIdentity } from '../../src/x509/fulcio.ts'
import { extensionOid } from '../../src/x509/oids.ts'
import { extension, extensions, issue, nameOf, newKey } from './issue.ts'

const issuer = { name: nameOf('authority'), key: newKey() }
const fulcio = (arc: number, value: Uint8Array): Uint8Array => extension(`1.3.6.1.4.1.57264.1.${arc}`, false, value)
const issuerUrl = fulcio(8, derUtf8String('https://issuer.example'))
const email = extensions.email('ada@example.com')

function identityOf(...wanted: readonly Uint8Array[]): FulcioIdentity {
  return fulcioIdentity(parseCertificate(issue({ issuer, subject: nameOf(''), extensions: wanted })))
}

function codeOf(...wanted: readonly Uint8Array[]): FailureCode | undefined {
  try {
    identityOf(...wanted)
  } catch (error) {
    if (error instanceof CountersignError) return error.code
    throw error
  }
  return undefined
}

describe('the identity in a certificate', () => {
  it('is the issuer of extension 8 and the one alternative name', () => {
    expect(identityOf(email, issuerUrl, fulcio(1, utf8('https://old.example')))).toEqual({
      issuer: 'https://issuer.example',
      subject: 'ada@example.com',
      subjectKind: 'email',
      extensions: { '1': 'https://old.example', '8': 'https://issuer.example' },
    })
  })

  it('has the issuer of extension 1 where 8 is absent', () => {
    expect(identityOf(email, fulcio(1, utf8('https://old.example'))).issuer).toBe('https://old.example')
  })

  it('may be a URI, a user name, or another kind that is supported', () => {
    const uri = extension(extensionOid.subjectAltName, true, derSequence(derElement(0x86, utf8('https://ci.example/job'))))
    expect(identityOf(uri, issuerUrl)).toMatchObject({ subject: 'https://ci.example/job', subjectKind: 'uri' })
    const other = derElement(0xa0, concatBytes(derOid('1.3.6.1.4.1.57264.1.7'), derExplicit(0, derUtf8String('ada!example.com'))))
    const username = extension(extensionOid.subjectAltName, true, derSequence(other))
    expect(identityOf(username, issuerUrl)).toMatchObject({ subject: 'ada!example.com', subjectKind: 'username' })
  })

  it('has bare bytes in extensions 1 to 6 and UTF8String in 8 to 24', () => {
    const bare = [1, 2, 3, 4, 5, 6].map((arc) => fulcio(arc, utf8(`value ${arc}`)))
    const wrapped = Array.from({ length: 17 }, (_, i) => fulcio(i + 8, derUtf8String(`value ${i + 8}`)))
    const found = identityOf(email, ...bare, ...wrapped).extensions
    expect(Object.keys(found)).toEqual(Object.keys(fulcioExtensionNames))
    for (const [arc, value] of Object.entries(found)) expect(value).toBe(`value ${arc}`)
  })

  it('leaves out what it has no name for', () => {
    expect(identityOf(email, issuerUrl, fulcio(25, utf8('raw')), fulcio(7, utf8('raw'))).extensions).toEqual({
      '8': 'https://issuer.example',
    })
  })

  it('is refused when the certificate names no issuer', () => {
    expect(codeOf(email)).toBe('certificate_unsuitable')
    expect(codeOf(email, fulcio(8, derUtf8String('')))).toBe('certificate_unsuitable')
  })

  it('attack: a second alternative name, of any kind, beside the expected one', () => {
    const two = (second: Uint8Array): Uint8Array =>
      extension(extensionOid.subjectAltName, true, derSequence(derElement(0x81, utf8('ada@example.com')), second))
    expect(codeOf(two(derElement(0x81, utf8('eve@example.com'))), issuerUrl)).toBe('certificate_unsuitable')
    expect(codeOf(two(derElement(0x88, Uint8Array.of(0x2a))), issuerUrl)).toBe('certificate_unsuitable')
  })

  it('is refused when there is no alternative name, or only one of an unsupported kind', () => {
    expect(codeOf(issuerUrl)).toBe('certificate_unsuitable')
    const registered = extension(extensionOid.subjectAltName, true, derSequence(derElement(0x88, Uint8Array.of(0x2a))))
    expect(codeOf(registered, issuerUrl)).toBe('certificate_unsuitable')
  })

  it('is refused when an extension is not the text that it should be', () => {
    expect(codeOf(email, fulcio(8, utf8('https://bare.example')))).toBe('certificate_malformed')
    expect(codeOf(email, fulcio(8, derIa5String('https://issuer.example')))).toBe('certificate_malformed')
    expect(codeOf(email, issuerUrl, fulcio(2, Uint8Array.of(0xff)))).toBe('certificate_malformed')
  })
})
