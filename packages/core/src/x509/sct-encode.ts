/** Signed certificate timestamps as a log and an authority write them (RFC 6962 §3.2, §3.3; c2sp.org/static-ct-api, "SCT Extension"). */
import { concatBytes } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import type { SignatureAlgorithm } from '../keys/algorithm.ts'
import { tlsReader, tlsUint, tlsVector } from '../tls-encoding.ts'
import type { SignedCertificateTimestamp } from './sct.ts'

const version1 = 0
const leafIndexType = 0
const leafIndexBytes = 5

/** CtExtensions with the index of the entry in the log, 0 to 2^40-1: without its own length. */
export function leafIndexExtension(index: number): Uint8Array {
  return concatBytes(Uint8Array.of(leafIndexType), tlsVector(tlsUint(index, leafIndexBytes)))
}

/** The leaf index in CtExtensions; `undefined` when there is none. Throws `sct_malformed`, also for two extensions of one type. */
export function leafIndexOf(extensions: Uint8Array): number | undefined {
  const reader = tlsReader(extensions, malformed)
  const types = new Set<number>()
  let index: number | undefined
  while (!reader.atEnd()) {
    const type = reader.uint(1)
    const data = reader.vector()
    if (types.has(type)) throw malformed(`two extensions of type ${type}`)
    types.add(type)
    if (type !== leafIndexType) continue
    if (data.length !== leafIndexBytes) throw malformed(`a leaf index of ${data.length} bytes`)
    index = tlsReader(data, malformed).uint(leafIndexBytes)
  }
  return index
}

/** One SignedCertificateTimestamp. */
export function encodeSct(sct: SignedCertificateTimestamp): Uint8Array {
  return concatBytes(
    Uint8Array.of(version1),
    sct.logId,
    tlsUint(sct.timestampMs, 8),
    tlsVector(sct.extensions),
    Uint8Array.of(sct.hashAlgorithm, sct.signatureAlgorithm),
    tlsVector(sct.signature),
  )
}

/** SignedCertificateTimestampList: for the extension of a certificate, `sctListExtension` puts it into its OCTET STRINGs. */
export function encodeSctList(scts: readonly SignedCertificateTimestamp[]): Uint8Array {
  return tlsVector(concatBytes(...scts.map((sct) => tlsVector(encodeSct(sct)))))
}

/** HashAlgorithm and SignatureAlgorithm of TLS 1.2 (RFC 5246 §7.4.1.4.1) for the key of a log. Throws `algorithm_unsupported`: RFC 6962 §2.1.4 knows P-256 and RSA. */
export function tlsAlgorithmOf({
  scheme,
  hash,
}: SignatureAlgorithm): Pick<SignedCertificateTimestamp, 'hashAlgorithm' | 'signatureAlgorithm'> {
  if (hash === 'sha256' && scheme === 'ecdsa') return { hashAlgorithm: 4, signatureAlgorithm: 3 }
  if (hash === 'sha256' && scheme === 'rsa-pkcs1v15') return { hashAlgorithm: 4, signatureAlgorithm: 1 }
  throw new CountersignError('algorithm_unsupported', 'a certificate transparency log signs with ECDSA or RSA and SHA-256', {
    found: `${scheme} ${hash}`,
  })
}

/** DigitallySigned (RFC 5246 §4.7): the algorithms, then the signature behind its length. */
export function encodeDigitallySigned(algorithm: SignatureAlgorithm, signature: Uint8Array): Uint8Array {
  const { hashAlgorithm, signatureAlgorithm } = tlsAlgorithmOf(algorithm)
  return concatBytes(Uint8Array.of(hashAlgorithm, signatureAlgorithm), tlsVector(signature))
}

function malformed(detail: string): CountersignError {
  return new CountersignError('sct_malformed', `not the extensions of a signed certificate timestamp: ${detail}`)
}
