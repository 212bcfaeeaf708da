/** Writing certificates (RFC 5280 §4.1): the part that is signed, and the certificate around it. */
import { joinBytes } from '../bytes.ts'
import { derMalformed } from '../der/element.ts'
import { derBitString, derExplicit, derInteger, derSequence, derTime, derUnsignedInteger } from '../der/writer.ts'
import type { SignatureAlgorithm } from '../keys/algorithm.ts'
import type { Awaitable } from '../primitives.ts'
import { encodeAlgorithmIdentifier } from './algorithm-identifier.ts'

/** What a certificate says. */
export type CertificateFields = {
  /** Serial number: 1 to 20 bytes, big-endian, positive (RFC 5280 §4.1.2.2). From the caller's random numbers. */
  readonly serial: Uint8Array
  /** Name of the issuer, DER. */
  readonly issuer: Uint8Array
  /** Name of the subject, DER; empty where only the alternative name speaks. */
  readonly subject: Uint8Array
  /** Unix milliseconds, cut to whole seconds; both ends are inside the validity. */
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array
  /** Extensions in their order, each encoded (`build-extensions.ts`). */
  readonly extensions: readonly Uint8Array[]
}

/** Who signs: a key's algorithm, and the signature over a whole message (ECDSA as ASN.1 DER). */
export type CertificateSigner = {
  readonly algorithm: SignatureAlgorithm
  readonly sign: (message: Uint8Array) => Awaitable<Uint8Array>
}

const maxSerialBytes = 20
const version3 = 2

/** TBSCertificate, DER, version 3. Throws `der_malformed` for a serial number or time that no certificate may have. */
export function encodeTbs(fields: CertificateFields, algorithm: SignatureAlgorithm): Uint8Array {
  return finishTbs(tbsHead(fields, algorithm), fields.extensions)
}

/** What stands before the extensions in a TBSCertificate: for certificates that are written several times with other extensions. */
export function tbsHead(fields: Omit<CertificateFields, 'extensions'>, algorithm: SignatureAlgorithm): Uint8Array {
  return joinBytes([
    derExplicit(0, derInteger(version3)),
    encodeSerial(fields.serial),
    encodeAlgorithmIdentifier(algorithm),
    fields.issuer,
    derSequence(derTime(fields.notBeforeMs), derTime(fields.notAfterMs)),
    fields.subject,
    fields.spki,
  ])
}

/** A TBSCertificate from its head and its extensions, each encoded. */
export function finishTbs(head: Uint8Array, extensions: readonly Uint8Array[]): Uint8Array {
  if (extensions.length === 0) return derSequence(head)
  return derSequence(head, derExplicit(3, derSequence(...extensions)))
}

/** RFC 5280 §4.1.2.2: positive, at most 20 bytes as content of the INTEGER. Throws `der_malformed`. */
export function encodeSerial(serial: Uint8Array): Uint8Array {
  const encoded = derUnsignedInteger(serial)
  if (serial.every((byte) => byte === 0) || encoded.length > maxSerialBytes + 2) throw derMalformed('a serial number is zero or too long')
  return encoded
}

/** A certificate, DER, around a TBSCertificate that was signed with the algorithm that it names. */
export function encodeCertificate(tbs: Uint8Array, algorithm: SignatureAlgorithm, signature: Uint8Array): Uint8Array {
  return derSequence(tbs, encodeAlgorithmIdentifier(algorithm), derBitString(signature))
}

/** Signs and writes a certificate, DER. Fails as {@link encodeTbs} and as the signer does. */
export async function buildCertificate(fields: CertificateFields, signer: CertificateSigner): Promise<Uint8Array> {
  const tbs = encodeTbs(fields, signer.algorithm)
  return encodeCertificate(tbs, signer.algorithm, await signer.sign(tbs))
}
