/** The signed attribute that binds a timestamp to one certificate (RFC 3161 §2.4.2, RFC 5035 §3 to §5, RFC 5816). */
import { equalBytes } from '../bytes.ts'
import { cmsOid } from '../cms/oids.ts'
import { singleValue, type Attributes } from '../cms/signed-data.ts'
import { derMalformed } from '../der/element.ts'
import { isUniversal, derTag, readInteger, readOctetString, readSequence, type DerNode } from '../der/reader.ts'
import type { HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import type { Primitives } from '../primitives.ts'
import { readGeneralName } from '../x509/alternative-names.ts'
import { hashOfIdentifier, readAlgorithmIdentifier } from '../x509/algorithm-identifier.ts'
import type { Certificate } from '../x509/certificate.ts'

/** Whether the attribute names a certificate, names another, or cannot be relied on. */
export type SigningCertificateMatch =
  | { readonly kind: 'same' }
  | { readonly kind: 'another' }
  | { readonly kind: 'refused'; readonly detail: string }

/**
 * Compares the first certificate of SigningCertificateV2 with `leaf`; without it, one certificate's signature could be passed off as that of
 * another certificate of the same key. The older SigningCertificate names a certificate by SHA-1 only, which proves nothing: alone it is
 * refused, beside version 2 it is ignored.
 */
export async function matchSigningCertificate(
  attributes: Attributes | undefined,
  leaf: Certificate,
  primitives: Primitives,
): Promise<SigningCertificateMatch> {
  const value = singleValue(attributes, cmsOid.signingCertificateV2)
  if (value === undefined) {
    const old = attributes?.has(cmsOid.signingCertificate) === true
    return refused(old ? 'it names its signing certificate by SHA-1 alone' : 'it does not name its signing certificate')
  }
  const named = readCertificateId(value)
  if (named === undefined) return refused('the name of its signing certificate cannot be read')
  const digest = await primitives.hash(named.hash, leaf.raw)
  return equalBytes(digest, named.digest) && issuerFits(named, leaf) ? { kind: 'same' } : { kind: 'another' }
}

type CertificateId = {
  readonly hash: HashAlgorithm
  readonly digest: Uint8Array
  readonly issuerSerial?: { readonly issuer: Uint8Array; readonly serial: Uint8Array }
}

function readCertificateId(value: DerNode): CertificateId | undefined {
  try {
    const [certificates, policies, extra] = readSequence(value)
    if (policies) readSequence(policies)
    if (extra !== undefined) throw derMalformed('SigningCertificateV2 has too many fields')
    return readEssCertId(readSequence(certificates)[0])
  } catch (cause) {
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}

/** RFC 5035 §4: the hash algorithm is SHA-256 where none is written. */
function readEssCertId(node: DerNode | undefined): CertificateId | undefined {
  const fields = readSequence(node)
  const named = isUniversal(fields[0], derTag.sequence)
  const hash = named ? hashOfIdentifier(readAlgorithmIdentifier(fields[0])) : 'sha256'
  const [digest, issuerSerial, extra] = fields.slice(named ? 1 : 0)
  if (hash === undefined || extra !== undefined) return undefined
  const id = { hash, digest: readOctetString(digest) }
  if (issuerSerial === undefined) return id
  const [issuers, serial] = readSequence(issuerSerial)
  const [issuer, another] = readSequence(issuers)
  const name = issuer && another === undefined ? readGeneralName(issuer) : undefined
  return name?.kind === 'directory' ? { ...id, issuerSerial: { issuer: name.raw, serial: readInteger(serial) } } : undefined
}

function issuerFits({ issuerSerial }: CertificateId, leaf: Certificate): boolean {
  if (issuerSerial === undefined) return true
  return equalBytes(issuerSerial.issuer, leaf.issuer.raw) && equalBytes(issuerSerial.serial, leaf.serial)
}

function refused(detail: string): SigningCertificateMatch {
  return { kind: 'refused', detail }
}
