/** Certificates as bundles and legacy layouts carry them: candidates for a path, never anchors. */
import { base64Bytes, items, members, refuse, type Place } from '../json/shape.ts'

/** A leaf and candidates for its chain, DER. */
export type CertificateCandidates = readonly [Uint8Array, ...Uint8Array[]]

const maxCertificates = 10

/**
 * Reads an array of `X509Certificate`, leaf first; at least one, at most 10. A self-issued CA certificate is refused: an anchor never
 * comes from the thing that it is to prove (client specification §5.1). Fails with the code of the place.
 */
export function readCertificates(at: Place): CertificateCandidates {
  const [leaf, ...others] = items(at, maxCertificates).map((item) => base64Bytes(members(item, ['rawBytes'])('rawBytes')))
  if (leaf === undefined) return refuse(at, 'an empty certificate chain')
  return [leaf, ...others]
}
