/** What Fulcio writes into certificates: who signed, and what the identity provider said about it (fulcio, docs/oid-info.md). */
import { fromUtf8 } from '../bytes.ts'
import { parseDer, readUtf8String, withDerCode } from '../der/reader.ts'
import { CountersignError } from '../failure.ts'
import type { Certificate } from './certificate.ts'

/** The identity in a certificate. */
export type FulcioIdentity = {
  /** URL of the OIDC issuer, from extension 8, or from 1 where 8 is absent. */
  readonly issuer: string
  /** The one subject alternative name. */
  readonly subject: string
  readonly subjectKind: 'email' | 'uri' | 'username' | 'dns' | 'ip'
  /** Extensions by the last arc of their OID under 1.3.6.1.4.1.57264.1. */
  readonly extensions: Readonly<Record<string, string>>
}

const arc = '1.3.6.1.4.1.57264.1.'

/** Names of the extensions by the last arc of their OID, for reports; 7 is a kind of alternative name and no extension. */
export const fulcioExtensionNames: Readonly<Record<string, string>> = {
  '1': 'Issuer',
  '2': 'GitHub Workflow Trigger',
  '3': 'GitHub Workflow SHA',
  '4': 'GitHub Workflow Name',
  '5': 'GitHub Workflow Repository',
  '6': 'GitHub Workflow Ref',
  '8': 'Issuer (V2)',
  '9': 'Build Signer URI',
  '10': 'Build Signer Digest',
  '11': 'Runner Environment',
  '12': 'Source Repository URI',
  '13': 'Source Repository Digest',
  '14': 'Source Repository Ref',
  '15': 'Source Repository Identifier',
  '16': 'Source Repository Owner URI',
  '17': 'Source Repository Owner Identifier',
  '18': 'Build Config URI',
  '19': 'Build Config Digest',
  '20': 'Build Trigger',
  '21': 'Run Invocation URI',
  '22': 'Source Repository Visibility At Signing',
  '23': 'Deployment Environment',
  '24': 'Token Subject',
}

/**
 * Reads the identity of a signing certificate.
 * Throws `certificate_unsuitable` when it names no issuer or not exactly one supported subject, `certificate_malformed` when an
 * extension is not the text that it should be.
 */
export function fulcioIdentity(certificate: Certificate): FulcioIdentity {
  const extensions = fulcioExtensions(certificate)
  const issuer = extensions['8'] ?? extensions['1']
  if (issuer === undefined || issuer === '') {
    throw new CountersignError('certificate_unsuitable', 'the certificate names no identity issuer (extension 1.3.6.1.4.1.57264.1.8)')
  }
  const [name, extra] = certificate.alternativeNames
  if (name === undefined || extra !== undefined || name.kind === 'unsupported' || name.kind === 'directory') {
    const found = certificate.alternativeNames.map((each) => each.kind).join(', ') || 'none'
    throw new CountersignError('certificate_unsuitable', 'the certificate does not name exactly one signer', {
      expected: 'one subject alternative name of a supported kind',
      found,
    })
  }
  return { issuer, subject: name.value, subjectKind: name.kind, extensions }
}

/** The extensions of Fulcio alone, by the last arc of their OID. Throws `certificate_malformed`. */
export function fulcioExtensions(certificate: Certificate): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const { oid, value } of certificate.extensions.values()) {
    const number = oid.startsWith(arc) ? oid.slice(arc.length) : ''
    if (Object.hasOwn(fulcioExtensionNames, number)) found[number] = extensionText(number, value)
  }
  return found
}

/** 1 to 6 hold bare bytes, the later ones a DER UTF8String. */
function extensionText(number: string, value: Uint8Array): string {
  return withDerCode('certificate_malformed', `extension ${arc}${number}`, () =>
    Number(number) <= 6 ? fromUtf8(value) : readUtf8String(parseDer(value)),
  )
}
