/** Timestamp tokens of every shape for tests, the forbidden shapes too, built with our own writer and signed by Node. */
import { createHash, sign } from 'node:crypto'
import { cmsOid } from '../../src/cms/oids.ts'
import {
  derExplicit,
  derGeneralizedTime,
  derImplicit,
  derInteger,
  derNull,
  derOctetString,
  derOid,
  derSequence,
  derSet,
} from '../../src/der/writer.ts'
import { algorithmOid } from '../../src/x509/oids.ts'
import { parseCertificate } from '../../src/x509/certificate.ts'
import { extensions, issue, nameOf, newKey, type Issuer, type KeyPair, type Wanted } from '../x509/issue.ts'

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest())
const algorithm = (oid: string, ...parameters: readonly Uint8Array[]): Uint8Array => derSequence(derOid(oid), ...parameters)
const attribute = (oid: string, ...values: readonly Uint8Array[]): Uint8Array => derSequence(derOid(oid), derSet(...values))

/** A timestamp authority: a root, and a leaf below it with its key. */
export type TestTsa = { readonly root: Uint8Array; readonly rootIssuer: Issuer; readonly leaf: Uint8Array; readonly key: KeyPair }

/** A fresh timestamp authority; its leaf is changed as wanted. */
export function newTsa(wanted: Partial<Wanted> = {}): TestTsa {
  const rootIssuer: Issuer = { name: nameOf('TSA root'), key: newKey() }
  const root = issue({ issuer: rootIssuer, subject: rootIssuer.name, key: rootIssuer.key, serial: 1, extensions: [extensions.ca()] })
  const key = wanted.key ?? newKey()
  const subject = nameOf('TSA')
  return { root, rootIssuer, key, leaf: issue({ issuer: rootIssuer, subject, key, extensions: [extensions.timeStamping()], ...wanted }) }
}

/** What a token shall say. Unset parts are those of an ordinary token. */
export type Stamp = {
  readonly message: Uint8Array
  readonly genTimeMs: number
  readonly imprint?: Uint8Array
  readonly version?: number
  /** Fields of TSTInfo after genTime. */
  readonly optional?: readonly Uint8Array[]
  /** Certificates to embed. */
  readonly certificates?: readonly Uint8Array[]
  /** Signed attributes in place of the ordinary ones. */
  readonly attributes?: (info: Uint8Array) => readonly Uint8Array[]
  /** Changes TSTInfo after its digest was signed. */
  readonly alterInfo?: (info: Uint8Array) => Uint8Array
  readonly contentType?: string
}

/** MessageImprint with SHA-256. */
function imprintOf(message: Uint8Array): Uint8Array {
  return derSequence(algorithm(algorithmOid.sha256, derNull()), derOctetString(sha256(message)))
}

/** The signed attributes that a timestamp must have, each replaceable. */
export const attributes = {
  contentType: (oid: string = cmsOid.tstInfo): Uint8Array => attribute(cmsOid.contentType, derOid(oid)),
  messageDigest: (content: Uint8Array): Uint8Array => attribute(cmsOid.messageDigest, derOctetString(sha256(content))),
  signingCertificateV2: (certificate: Uint8Array, ...issuerSerial: readonly Uint8Array[]): Uint8Array =>
    attribute(cmsOid.signingCertificateV2, derSequence(derSequence(derSequence(derOctetString(sha256(certificate)), ...issuerSerial)))),
  signingCertificate: (certificate: Uint8Array): Uint8Array =>
    attribute(
      cmsOid.signingCertificate,
      derSequence(derSequence(derSequence(derOctetString(new Uint8Array(createHash('sha1').update(certificate).digest()))))),
    ),
}

/** A TimeStampToken, DER. */
export function tokenBy(tsa: TestTsa, stamp: Stamp): Uint8Array {
  const info = derSequence(
    derInteger(stamp.version ?? 1),
    derOid('1.3.6.1.4.1.57264.2'),
    stamp.imprint ?? imprintOf(stamp.message),
    derInteger(42),
    derGeneralizedTime(stamp.genTimeMs),
    ...(stamp.optional ?? []),
  )
  const signed = derSet(
    ...(stamp.attributes?.(info) ?? [attributes.contentType(), attributes.messageDigest(info), attributes.signingCertificateV2(tsa.leaf)]),
  )
  const { issuer, serial } = parseCertificate(tsa.leaf)
  const signerInfo = derSequence(
    derInteger(1),
    derSequence(issuer.raw, derInteger(BigInt(`0x${Buffer.from(serial).toString('hex')}`))),
    algorithm(algorithmOid.sha256),
    derImplicit(0, signed),
    algorithm(algorithmOid.ecdsaWithSha256),
    derOctetString(new Uint8Array(sign('sha256', signed, tsa.key.privateKey))),
  )
  const signedData = derSequence(
    derInteger(3),
    derSet(algorithm(algorithmOid.sha256)),
    derSequence(derOid(stamp.contentType ?? cmsOid.tstInfo), derExplicit(0, derOctetString(stamp.alterInfo?.(info) ?? info))),
    ...(stamp.certificates ? [derImplicit(0, derSet(...stamp.certificates))] : []),
    derSet(signerInfo),
  )
  return derSequence(derOid(cmsOid.signedData), derExplicit(0, signedData))
}

/** A TimeStampResp, DER, with a status and any further fields of PKIStatusInfo. */
export function responseWith(token: Uint8Array, status = 0, ...further: readonly Uint8Array[]): Uint8Array {
  return derSequence(derSequence(derInteger(status), ...further), token)
}
