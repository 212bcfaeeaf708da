/** PKCS#10 certification requests (RFC 2986): a key, and the proof that who asks has it. Names and attributes in them are never believed. */
import { derMalformed } from '../der/element.ts'
import { isContext, parseDer, readBitStringBytes, readSequence, readSmallInteger, withDerCode } from '../der/reader.ts'
import { derBitString, derImplicit, derInteger, derSequence, derSet } from '../der/writer.ts'
import { CountersignError } from '../failure.ts'
import { parsePublicKey, type PublicKey } from '../keys/public-key.ts'
import type { Primitives } from '../primitives.ts'
import {
  encodeAlgorithmIdentifier,
  readAlgorithmIdentifier,
  signatureAlgorithmOf,
  type AlgorithmIdentifier,
} from './algorithm-identifier.ts'
import type { CertificateSigner } from './build.ts'
import { readName, type DistinguishedName } from './name.ts'

/** A request, read; its signature is not verified yet. */
export type CertificateRequest = {
  /** CertificationRequestInfo, DER: what the key signed. */
  readonly signed: Uint8Array
  readonly subject: DistinguishedName
  readonly key: PublicKey
  readonly algorithm: AlgorithmIdentifier
  readonly signature: Uint8Array
}

const limits = { maxBytes: 64 * 1024, maxDepth: 24 }

/** Reads a request, DER. Throws `certificate_request_malformed`, `key_malformed` or `key_unsupported`. */
export function parseCertificateRequest(der: Uint8Array): CertificateRequest {
  return withDerCode('certificate_request_malformed', 'not a certification request', () => {
    const [info, algorithm, signature, extra] = readSequence(parseDer(der, limits))
    if (info === undefined || extra !== undefined) throw derMalformed('a certification request has three fields')
    const [version, subject, spki, attributes, more] = readSequence(info)
    if (readSmallInteger(version) !== 0 || spki === undefined) throw derMalformed('a certification request of unknown version')
    if (more !== undefined || (attributes !== undefined && !isContext(attributes, 0))) throw derMalformed('it has unknown fields')
    return {
      signed: info.raw,
      subject: readName(subject),
      key: parsePublicKey(spki.raw),
      algorithm: readAlgorithmIdentifier(algorithm),
      signature: readBitStringBytes(signature),
    }
  })
}

/** Whether the key in the request signed it. Throws `algorithm_unsupported` for a signature algorithm that does not fit the key. */
export async function verifyCertificateRequest(primitives: Pick<Primitives, 'verify'>, request: CertificateRequest): Promise<boolean> {
  const algorithm = signatureAlgorithmOf(request.algorithm, request.key)
  if (algorithm === undefined)
    throw new CountersignError('algorithm_unsupported', 'the request is signed with an algorithm that is not supported')
  return primitives.verify(algorithm, request.key, request.signed, request.signature)
}

/** Writes a request without attributes, DER. */
export async function buildCertificateRequest(subject: Uint8Array, key: PublicKey, signer: CertificateSigner): Promise<Uint8Array> {
  const info = derSequence(derInteger(0), subject, key.spki, derImplicit(0, derSet()))
  return derSequence(info, encodeAlgorithmIdentifier(signer.algorithm), derBitString(await signer.sign(info)))
}
