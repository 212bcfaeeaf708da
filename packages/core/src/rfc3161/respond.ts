/**
 * Writes what a timestamp authority answers (RFC 3161 §2.4.2): TSTInfo, the attributes that are signed, the response around them.
 *
 * The authority hashes and signs in between: `info`, SHA-256 of it, `attributes`, a signature over those, `response`. All that is the same in
 * every answer is encoded once.
 */
import { concatBytes } from '../bytes.ts'
import { encodeAttribute, encodeIssuerAndSerial, signedAttributes, signedDataWriter } from '../cms/write.ts'
import { cmsOid } from '../cms/oids.ts'
import { derBackward, putBytes, putHead, writtenBytes } from '../der/backward.ts'
import { derTag } from '../der/element.ts'
import {
  derElement,
  derExplicit,
  derGeneralizedTime,
  derInteger,
  derNamedBits,
  derOctetString,
  derOid,
  derSequence,
  derTime,
  derUtf8String,
} from '../der/writer.ts'
import { hashLength } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import type { SignatureAlgorithm } from '../keys/algorithm.ts'
import { encodeAlgorithmIdentifier } from '../x509/algorithm-identifier.ts'
import type { Certificate } from '../x509/certificate.ts'
import { algorithmOid } from '../x509/oids.ts'
import type { ReadTimestampRequest } from './read-request.ts'

/** Who stamps. */
export type StamperOptions = {
  /** The authority's certificate. */
  readonly certificate: Certificate
  /** SHA-256 of that certificate. */
  readonly certificateHash: Uint8Array
  /** DER, its own certificate first; embedded when a request asks for certificates. */
  readonly chain: readonly Uint8Array[]
  /** How the authority signs; its hash is SHA-256 (the message digest is made with the same). */
  readonly algorithm: SignatureAlgorithm
  /** OID of the policy under which it works, dotted. */
  readonly policy: string
  /** How far the clock may be off, whole seconds. */
  readonly accuracySeconds: number
}

/** The encoder of one authority. */
export type Stamper = {
  /** TSTInfo. `serial` is the content of the INTEGER: positive, 160 bits; `timeMs` is cut to whole seconds, as the accuracy is one. */
  readonly info: (request: ReadTimestampRequest, serial: Uint8Array, timeMs: number) => Uint8Array
  /** The signed attributes, as what the signature is over; `infoDigest` is SHA-256 of TSTInfo. */
  readonly attributes: (infoDigest: Uint8Array, timeMs: number) => Uint8Array
  /** TimeStampResp that grants; with the certificates only where the request asked for them (`certReq`). */
  readonly response: (info: Uint8Array, attributes: Uint8Array, signature: Uint8Array, certReq: boolean) => Uint8Array
}

/** Prepares an authority's answers. Throws `algorithm_unsupported` for an algorithm with another hash than SHA-256. */
export function createStamper(options: StamperOptions): Stamper {
  const { certificate, certificateHash, chain, algorithm } = options
  if (algorithm.hash !== 'sha256') {
    throw new CountersignError('algorithm_unsupported', 'a timestamp authority signs with SHA-256 here', { found: algorithm.name })
  }
  const before = concatBytes(derInteger(1), derOid(options.policy))
  const accuracy = derSequence(derInteger(options.accuracySeconds))
  const timeAndAccuracy = oncePerSecond((timeMs) => concatBytes(derGeneralizedTime(timeMs), accuracy))
  // RFC 3161 §2.4.2: tsa [0] GeneralName; directoryName [4] is explicit, as a CHOICE inside it is.
  const tsa = derExplicit(0, derExplicit(4, certificate.subject.raw))
  const infoBytes = before.length + timeAndAccuracy(0).length + tsa.length + spareBytes
  const contentType = encodeAttribute(cmsOid.contentType, derOid(cmsOid.tstInfo))
  // RFC 5035 §4: without a hash algorithm, SHA-256 is meant. With issuer and serial number of the certificate, as RFC 5816 recommends.
  const issuerSerial = derSequence(derSequence(derExplicit(4, certificate.issuer.raw)), derElement(0x02, certificate.serial))
  const signingCertificate = encodeAttribute(
    cmsOid.signingCertificateV2,
    derSequence(derSequence(derSequence(derOctetString(certificateHash), issuerSerial))),
  )
  const attributes = oncePerSecond((timeMs) =>
    signedAttributes([contentType, encodeAttribute(cmsOid.signingTime, derTime(timeMs)), signingCertificate], hashLength.sha256),
  )
  const signedData = signedDataWriter({
    digestAlgorithm: derSequence(derOid(algorithmOid.sha256)),
    contentType: cmsOid.tstInfo,
    signer: encodeIssuerAndSerial(certificate.issuer.raw, certificate.serial),
    signatureAlgorithm: encodeAlgorithmIdentifier(algorithm),
    certificates: chain,
  })
  const granted = derSequence(derInteger(0))
  return {
    info: ({ imprint, nonce }, serial, timeMs) => {
      const to = derBackward(infoBytes + imprint.length + serial.length + (nonce?.length ?? 0))
      const end = to.from
      putBytes(to, tsa)
      if (nonce !== undefined) putBytes(to, nonce)
      putBytes(to, timeAndAccuracy(timeMs))
      const serialEnd = to.from
      putBytes(to, serial)
      putHead(to, derTag.integer, serialEnd)
      putBytes(to, imprint)
      putBytes(to, before)
      putHead(to, sequence, end)
      return writtenBytes(to)
    },
    attributes: (infoDigest, timeMs) => attributes(timeMs)(infoDigest),
    response: (content, signed, signature, embedCertificates) => {
      const parts = { content, attributes: signed, signature, embedCertificates }
      const to = derBackward(signedData.size(parts) + granted.length + spareBytes)
      const end = to.from
      signedData.put(to, parts)
      putBytes(to, granted)
      putHead(to, sequence, end)
      return writtenBytes(to)
    },
  }
}

const sequence = 0x20 | derTag.sequence
/** More than the heads of two elements. */
const spareBytes = 12

/** Thousands of timestamps share a second. */
function oncePerSecond<T>(encode: (timeMs: number) => T): (timeMs: number) => T {
  let held: { readonly second: number; readonly encoded: T } | undefined
  return (timeMs) => {
    const second = Math.floor(timeMs / 1000)
    if (held?.second !== second) held = { second, encoded: encode(second * 1000) }
    return held.encoded
  }
}

/** PKIFailureInfo (RFC 3161 §2.4.2): why no timestamp was granted, and the number of its bit. */
export const timestampFailure = {
  badAlg: 0,
  badRequest: 2,
  badDataFormat: 5,
  timeNotAvailable: 14,
  unacceptedPolicy: 15,
  unacceptedExtension: 16,
  systemFailure: 25,
} as const

/** A TimeStampResp that grants nothing: status `rejection`, the reason for people, and for programs. */
export function encodeTimestampRefusal(failure: keyof typeof timestampFailure, detail: string): Uint8Array {
  return derSequence(derSequence(derInteger(2), derSequence(derUtf8String(detail)), derNamedBits([timestampFailure[failure]])))
}
