/**
 * Writes what a timestamp authority answers (RFC 3161 §2.4.2): TSTInfo, the attributes that are signed, the response around them.
 *
 * The authority hashes and signs in between: `info`, SHA-256 of it, `attributes`, a signature over those, `response`. All that is the same in
 * every answer is encoded once.
 */
import { encodeAttribute, encodeContent, encodeIssuerAndSerial, encodeSignedAttributes, encodeSignedData } from '../cms/write.ts'
import { cmsOid } from '../cms/oids.ts'
import {
  derElement,
  derExplicit,
  derGeneralizedTime,
  derInteger,
  derNamedBits,
  derOctetString,
  derOid,
  derSequence,
  derSet,
  derTime,
  derUtf8String,
} from '../der/writer.ts'
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
  const version = derInteger(1)
  const policy = derOid(options.policy)
  const accuracy = derSequence(derInteger(options.accuracySeconds))
  // RFC 3161 §2.4.2: tsa [0] GeneralName; directoryName [4] is explicit, as a CHOICE inside it is.
  const tsa = derExplicit(0, derExplicit(4, certificate.subject.raw))
  const contentType = encodeAttribute(cmsOid.contentType, derOid(cmsOid.tstInfo))
  const messageDigest = derOid(cmsOid.messageDigest)
  const signer = encodeIssuerAndSerial(certificate.issuer.raw, certificate.serial)
  // RFC 5035 §4: without a hash algorithm, SHA-256 is meant. With issuer and serial number of the certificate, as RFC 5816 recommends.
  const issuerSerial = derSequence(derSequence(derExplicit(4, certificate.issuer.raw)), derElement(0x02, certificate.serial))
  const signingCertificate = encodeAttribute(
    cmsOid.signingCertificateV2,
    derSequence(derSequence(derSequence(derOctetString(certificateHash), issuerSerial))),
  )
  const digestAlgorithm = derSequence(derOid(algorithmOid.sha256))
  const signatureAlgorithm = encodeAlgorithmIdentifier(algorithm)
  const tstInfo = derOid(cmsOid.tstInfo)
  const granted = derSequence(derInteger(0))
  const generalizedTime = oncePerSecond(derGeneralizedTime)
  const signingTime = oncePerSecond((timeMs) => encodeAttribute(cmsOid.signingTime, derTime(timeMs)))
  return {
    info: (request, serial, timeMs) =>
      derSequence(
        version,
        policy,
        request.imprint,
        derElement(0x02, serial),
        generalizedTime(timeMs),
        accuracy,
        ...(request.nonce === undefined ? [] : [request.nonce]),
        tsa,
      ),
    attributes: (infoDigest, timeMs) =>
      encodeSignedAttributes([
        contentType,
        signingTime(timeMs),
        derSequence(messageDigest, derSet(derOctetString(infoDigest))),
        signingCertificate,
      ]),
    response: (info, signedAttributes, signature, certReq) =>
      derSequence(
        granted,
        encodeSignedData({
          version: 3,
          digestAlgorithm,
          content: encodeContent(tstInfo, info),
          certificates: certReq ? chain : [],
          signer,
          signedAttributes,
          signatureAlgorithm,
          signature,
        }),
      ),
  }
}

/** Thousands of timestamps share a second. */
function oncePerSecond(encode: (timeMs: number) => Uint8Array): (timeMs: number) => Uint8Array {
  let second = Number.NaN
  let encoded = new Uint8Array()
  return (timeMs) => {
    const now = Math.floor(timeMs / 1000)
    if (now !== second) {
      encoded = new Uint8Array(encode(now * 1000))
      second = now
    }
    return encoded
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
