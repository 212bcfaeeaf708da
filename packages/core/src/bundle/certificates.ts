/** Certificates as bundles and legacy layouts carry them: candidates for a path, never anchors. */
import { equalBytes } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import { base64Bytes, items, members, refuse, type Place } from '../json/shape.ts'
import { parseCertificate } from '../x509/certificate.ts'

/** A leaf and candidates for its chain, DER. */
export type CertificateCandidates = readonly [Uint8Array, ...Uint8Array[]]

const maxCertificates = 10

/**
 * Reads an array of `X509Certificate`, leaf first; at least one, at most 10. A root certificate is refused: an anchor never comes from the
 * thing that it is to prove (client specification §5.1). Fails with the code of the place.
 */
export function readCertificates(at: Place): CertificateCandidates {
  const [leaf, ...others] = items(at, maxCertificates).map((item) => base64Bytes(members(item, ['rawBytes'])('rawBytes')))
  if (leaf === undefined) return refuse(at, 'an empty certificate chain')
  if (others.some((der) => isRoot(at, der, true)) || isRoot(at, leaf, false)) refuse(at, 'the chain contains a root certificate')
  return [leaf, ...others]
}

/** Self-issued (RFC 5280 §3.2): a leaf may be, when it is no CA; an issuer that is, is an anchor. */
function isRoot(at: Place, der: Uint8Array, issuing: boolean): boolean {
  try {
    const certificate = parseCertificate(der)
    return equalBytes(certificate.issuer.raw, certificate.subject.raw) && (issuing || certificate.basicConstraints?.ca === true)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError(at.code, `${at.path}: ${cause.message}`, { cause })
  }
}
