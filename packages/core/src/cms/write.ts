/** Writes CMS SignedData with one signer (RFC 5652 §5), in DER; `signed-data.ts` reads it. */
import { compareBytes, concatBytes } from '../bytes.ts'
import { derElement, derExplicit, derInteger, derOctetString, derOid, derSequence, derSet } from '../der/writer.ts'
import { cmsOid } from './oids.ts'

/** One attribute (RFC 5652 §5.3): its OID and values, each DER. */
export function encodeAttribute(oid: string, ...values: readonly Uint8Array[]): Uint8Array {
  return derSequence(derOid(oid), derSet(...values))
}

/** Signed attributes as what the signature is over: SET OF, sorted (RFC 5652 §5.4). */
export function encodeSignedAttributes(attributes: readonly Uint8Array[]): Uint8Array {
  return derSet(...attributes)
}

/** IssuerAndSerialNumber from a certificate's issuer, DER, and the content of its serial number. */
export function encodeIssuerAndSerial(issuer: Uint8Array, serial: Uint8Array): Uint8Array {
  return derSequence(issuer, derElement(0x02, serial))
}

/** What SignedData is made of; each part DER. */
export type SignedDataParts = {
  /** RFC 5652 §5.1: 3 unless the content is plain data and nothing newer than version 1 is inside. */
  readonly version: 1 | 3
  /** AlgorithmIdentifier of the hash. */
  readonly digestAlgorithm: Uint8Array
  /** EncapsulatedContentInfo, by `encodeContent`. */
  readonly content: Uint8Array
  /** Certificates to embed. */
  readonly certificates: readonly Uint8Array[]
  /** IssuerAndSerialNumber of the signer. */
  readonly signer: Uint8Array
  /** By `encodeSignedAttributes`; travels under [0] in place of its own tag. */
  readonly signedAttributes: Uint8Array
  /** AlgorithmIdentifier of the signature. */
  readonly signatureAlgorithm: Uint8Array
  /** The signature itself. */
  readonly signature: Uint8Array
}

/** EncapsulatedContentInfo; without content for a detached signature. */
export function encodeContent(contentType: Uint8Array, content?: Uint8Array): Uint8Array {
  return content === undefined ? derSequence(contentType) : derSequence(contentType, derExplicit(0, derOctetString(content)))
}

/** A ContentInfo that holds SignedData with one signer, DER. */
export function encodeSignedData(parts: SignedDataParts): Uint8Array {
  const { certificates, signedAttributes } = parts
  const signerInfo = derSequence(
    derInteger(1),
    parts.signer,
    parts.digestAlgorithm,
    concatBytes(Uint8Array.of(0xa0), signedAttributes.subarray(1)),
    parts.signatureAlgorithm,
    derOctetString(parts.signature),
  )
  const embedded = certificates.length === 0 ? [] : [derElement(0xa0, concatBytes(...certificates.toSorted(compareBytes)))]
  const signedData = derSequence(derInteger(parts.version), derSet(parts.digestAlgorithm), parts.content, ...embedded, derSet(signerInfo))
  return derSequence(derOid(cmsOid.signedData), derExplicit(0, signedData))
}
