/** Writes CMS SignedData with one signer (RFC 5652 §5), in DER; `signed-data.ts` reads it. */
import { compareBytes, concatBytes } from '../bytes.ts'
import { type DerBackward, putBytes, putHead } from '../der/backward.ts'
import { derTag } from '../der/element.ts'
import { derElement, derInteger, derOctetString, derOid, derSequence, derSet } from '../der/writer.ts'
import { cmsOid } from './oids.ts'

/** One attribute (RFC 5652 §5.3): its OID and values, each DER. */
export function encodeAttribute(oid: string, ...values: readonly Uint8Array[]): Uint8Array {
  return derSequence(derOid(oid), derSet(...values))
}

/**
 * Signed attributes as what the signature is over: SET OF, sorted (RFC 5652 §5.4). `others` are all but the message digest; gives what puts a digest
 * of that many bytes among them.
 */
export function signedAttributes(others: readonly Uint8Array[], digestBytes: number): (digest: Uint8Array) => Uint8Array {
  const digest = encodeAttribute(cmsOid.messageDigest, derOctetString(new Uint8Array(digestBytes)))
  const sorted = [digest, ...others].toSorted(compareBytes)
  const behind = sorted.slice(sorted.indexOf(digest) + 1).reduce((sum, attribute) => sum + attribute.length, 0)
  const frame = derSet(...sorted)
  const at = frame.length - behind - digestBytes
  return (value) => {
    const bytes = frame.slice()
    bytes.set(value, at)
    return bytes
  }
}

/** IssuerAndSerialNumber from a certificate's issuer, DER, and the content of its serial number. */
export function encodeIssuerAndSerial(issuer: Uint8Array, serial: Uint8Array): Uint8Array {
  return derSequence(issuer, derElement(0x02, serial))
}

/** What all SignedData of one signer has in common; each part DER. */
export type SignerParts = {
  /** AlgorithmIdentifier of the hash. */
  readonly digestAlgorithm: Uint8Array
  /** What kind of content it is (RFC 5652 §5.2), dotted. */
  readonly contentType: string
  /** IssuerAndSerialNumber of the signer. */
  readonly signer: Uint8Array
  /** AlgorithmIdentifier of the signature. */
  readonly signatureAlgorithm: Uint8Array
  /** The certificates of those answers that embed some. */
  readonly certificates: readonly Uint8Array[]
}

/** What one SignedData is about. */
export type SignedDataParts = {
  readonly content: Uint8Array
  readonly embedCertificates: boolean
  /** By `signedAttributes`; travels under [0] in place of its own tag. */
  readonly attributes: Uint8Array
  readonly signature: Uint8Array
}

/** Writes SignedData of one signer. */
export type SignedDataWriter = {
  /** Writes ContentInfo with SignedData of version 3 (RFC 5652 §5.1: the content is not plain data) before what is there. */
  readonly put: (to: DerBackward, parts: SignedDataParts) => void
  /** Bytes that it takes at most. */
  readonly size: (parts: SignedDataParts) => number
}

/** Prepares what is the same in all of them. */
export function signedDataWriter({
  digestAlgorithm,
  contentType,
  signer,
  signatureAlgorithm,
  certificates,
}: SignerParts): SignedDataWriter {
  const kind = derOid(cmsOid.signedData)
  const beforeContent = concatBytes(derInteger(3), derSet(digestAlgorithm))
  const contentKind = derOid(contentType)
  const embedded = derElement(0xa0, concatBytes(...certificates.toSorted(compareBytes)))
  const beforeAttributes = concatBytes(derInteger(1), signer, digestAlgorithm)
  const fixed = [kind, beforeContent, contentKind, embedded, beforeAttributes, signatureAlgorithm].reduce(
    (sum, part) => sum + part.length,
    0,
  )
  return {
    size: ({ content, attributes, signature }) => fixed + content.length + attributes.length + signature.length + heads * longestHead,
    put: (to, { content, embedCertificates, attributes, signature }) => {
      const end = to.from
      putBytes(to, signature)
      putHead(to, derTag.octetString, end)
      putBytes(to, signatureAlgorithm)
      putBytes(to, attributes)
      to.space[to.from] = 0xa0
      putBytes(to, beforeAttributes)
      putHead(to, sequence, end)
      putHead(to, set, end)
      if (embedCertificates) putBytes(to, embedded)
      const contentEnd = to.from
      putBytes(to, content)
      putHead(to, derTag.octetString, contentEnd)
      putHead(to, 0xa0, contentEnd)
      putBytes(to, contentKind)
      putHead(to, sequence, contentEnd)
      putBytes(to, beforeContent)
      putHead(to, sequence, end)
      putHead(to, 0xa0, end)
      putBytes(to, kind)
      putHead(to, sequence, end)
    },
  }
}

/** Elements that `put` makes, and the longest head of one. */
const [heads, longestHead] = [9, 6]
const [sequence, set] = [0x20 | derTag.sequence, 0x20 | derTag.set]
