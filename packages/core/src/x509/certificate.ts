/** X.509 certificates (RFC 5280 §4.1), read strictly: what two parsers could read in two ways is refused. */
import { equalBytes } from '../bytes.ts'
import { derMalformed } from '../der/element.ts'
import {
  isContext,
  isUniversal,
  derTag,
  parseDer,
  readBitStringBytes,
  readExplicit,
  readInteger,
  readSequence,
  readSmallInteger,
  readTimeMs,
  withDerCode,
  type DerNode,
} from '../der/reader.ts'
import { readAlgorithmIdentifier, type AlgorithmIdentifier } from './algorithm-identifier.ts'
import { readAlternativeNames, type AlternativeName } from './alternative-names.ts'
import {
  readAuthorityKeyIdentifier,
  readBasicConstraints,
  readExtensions,
  readExtKeyUsage,
  readKeyUsage,
  readSubjectKeyIdentifier,
  type AuthorityKeyIdentifier,
  type BasicConstraints,
  type Extension,
  type KeyUsage,
} from './extensions.ts'
import { readName, type DistinguishedName } from './name.ts'
import { extensionOid } from './oids.ts'

/** A certificate, parsed. Nothing in it is verified. */
export type Certificate = {
  /** The whole certificate, DER. */
  readonly raw: Uint8Array
  /** TBSCertificate, DER: what the issuer signed. */
  readonly tbs: Uint8Array
  /** Serial number: content of the INTEGER, big-endian, not negative. */
  readonly serial: Uint8Array
  readonly issuer: DistinguishedName
  readonly subject: DistinguishedName
  /** Unix milliseconds; both ends are inside the validity. */
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array
  readonly signatureAlgorithm: AlgorithmIdentifier
  readonly signature: Uint8Array
  readonly extensions: ReadonlyMap<string, Extension>
  readonly basicConstraints?: BasicConstraints
  readonly keyUsage?: ReadonlySet<KeyUsage>
  readonly extKeyUsage?: readonly string[]
  /** Empty when the certificate has none. */
  readonly alternativeNames: readonly AlternativeName[]
  readonly subjectKeyId?: Uint8Array
  readonly authorityKeyId?: AuthorityKeyIdentifier
  /** Extensions that forbid the use of this certificate to who does not understand them, as we do not. */
  readonly unsupportedCritical: readonly string[]
}

/** Largest certificate that is read, in bytes. */
export const maxCertificateBytes: number = 64 * 1024

const maxSerialBytes = 32
const limits = { maxBytes: maxCertificateBytes, maxDepth: 24 }

/** Reads a certificate. Throws `certificate_malformed`, or `der_too_large` and `der_too_deep` at the limits. */
export function parseCertificate(der: Uint8Array): Certificate {
  return withDerCode('certificate_malformed', 'not a certificate', () => readCertificate(parseDer(der, limits)))
}

function readCertificate(node: DerNode): Certificate {
  const [tbs, algorithm, signature, extra] = readSequence(node)
  if (tbs === undefined || extra !== undefined) throw derMalformed('a certificate has three fields')
  const fields = readTbs(tbs)
  const signatureAlgorithm = readAlgorithmIdentifier(algorithm)
  // RFC 5280 §4.1.1.2. The outer one is not signed: an attacker could name a weaker algorithm there.
  if (!equalBytes(fields.algorithm.raw, signatureAlgorithm.raw)) {
    throw derMalformed('the signed and the outer signature algorithm differ')
  }
  const { algorithm: _, ...rest } = fields
  return { raw: node.raw, tbs: tbs.raw, signatureAlgorithm, signature: readBitStringBytes(signature), ...rest }
}

type TbsFields = Omit<Certificate, 'raw' | 'tbs' | 'signatureAlgorithm' | 'signature'> & { readonly algorithm: AlgorithmIdentifier }

function readTbs(node: DerNode): TbsFields {
  const all = readSequence(node)
  const version = isContext(all[0], 0) ? readSmallInteger(readExplicit(all[0], 0)) : 0
  if (isContext(all[0], 0) && version !== 1 && version !== 2) throw derMalformed('a certificate of unknown version')
  const [serial, algorithm, issuer, validity, subject, spki, ...optional] = all.slice(isContext(all[0], 0) ? 1 : 0)
  if (!isUniversal(spki, derTag.sequence)) throw derMalformed('a certificate has no public key')
  const [notBefore, notAfter, extra] = readSequence(validity)
  if (extra !== undefined) throw derMalformed('a validity has two fields')
  return {
    serial: readSerial(serial),
    algorithm: readAlgorithmIdentifier(algorithm),
    issuer: readName(issuer),
    notBeforeMs: readTimeMs(notBefore),
    notAfterMs: readTimeMs(notAfter),
    subject: readName(subject),
    spki: spki.raw,
    ...readKnown(readOptional(optional, version)),
  }
}

/** RFC 5280 §4.1.2.2: positive. Zero is tolerated, as others do; a serial here is only compared. */
function readSerial(node: DerNode | undefined): Uint8Array {
  const serial = readInteger(node)
  if ((serial[0] as number) >= 0x80 || serial.length > maxSerialBytes) throw derMalformed('a serial number is negative or too long')
  return serial
}

/** Unique identifiers ([1] and [2], RFC 5280 §4.1.2.8) are skipped; extensions ([3]) exist in version 3 only. */
function readOptional(optional: readonly DerNode[], version: number): ReadonlyMap<string, Extension> {
  let lastTag = 0
  let extensions: ReadonlyMap<string, Extension> = new Map()
  for (const field of optional) {
    if (field.class !== 'context' || field.tag <= lastTag || field.tag > 3) throw derMalformed('a certificate has unknown fields')
    lastTag = field.tag
    if (version === 0 || (field.tag === 3 && version !== 2)) throw derMalformed('a field is not of this certificate version')
    if (field.tag === 3) extensions = readExtensions(readExplicit(field, 3))
  }
  return extensions
}

/** `certificatePolicies` needs no processing where no policy is demanded (RFC 5280 §6.1.1(c), any-policy). */
const understood: ReadonlySet<string> = new Set([
  extensionOid.basicConstraints,
  extensionOid.keyUsage,
  extensionOid.extKeyUsage,
  extensionOid.subjectAltName,
  extensionOid.subjectKeyIdentifier,
  extensionOid.authorityKeyIdentifier,
  extensionOid.certificatePolicies,
])

type KnownExtensions = Pick<
  Certificate,
  | 'extensions'
  | 'basicConstraints'
  | 'keyUsage'
  | 'extKeyUsage'
  | 'alternativeNames'
  | 'subjectKeyId'
  | 'authorityKeyId'
  | 'unsupportedCritical'
>

function readKnown(extensions: ReadonlyMap<string, Extension>): KnownExtensions {
  const read = <T>(oid: string, reader: (value: Uint8Array) => T): T | undefined => {
    const extension = extensions.get(oid)
    return extension && reader(extension.value)
  }
  const basicConstraints = read(extensionOid.basicConstraints, readBasicConstraints)
  const keyUsage = read(extensionOid.keyUsage, readKeyUsage)
  const extKeyUsage = read(extensionOid.extKeyUsage, readExtKeyUsage)
  const subjectKeyId = read(extensionOid.subjectKeyIdentifier, readSubjectKeyIdentifier)
  const authorityKeyId = read(extensionOid.authorityKeyIdentifier, readAuthorityKeyIdentifier)
  const unsupported = [...extensions.values()].filter((extension) => forbidsUse(extension)).map((extension) => extension.oid)
  return {
    extensions,
    alternativeNames: read(extensionOid.subjectAltName, readAlternativeNames) ?? [],
    unsupportedCritical: unsupported,
    ...(basicConstraints && { basicConstraints }),
    ...(keyUsage && { keyUsage }),
    ...(extKeyUsage && { extKeyUsage }),
    ...(subjectKeyId && { subjectKeyId }),
    ...(authorityKeyId && { authorityKeyId }),
  }
}

/** Name constraints count as critical whatever their flag says: to ignore them would widen what the authority may certify. */
function forbidsUse(extension: Extension): boolean {
  return extension.oid === extensionOid.nameConstraints || (extension.critical && !understood.has(extension.oid))
}
