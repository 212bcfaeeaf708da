/** The key of a request, and the proof that who asks has its private half (fulcio, pkg/challenges). */
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { defaultAlgorithm } from '@countersign/core/keys/algorithm'
import { parsePublicKey, parsePublicKeyPem, type PublicKey } from '@countersign/core/keys/public-key'
import { decodePem } from '@countersign/core/pem'
import { parseCertificateRequest, verifyCertificateRequest } from '@countersign/core/x509/certificate-request'
import { serverPrimitives, verifyMessage } from '../../base/crypto/primitives.ts'
import type { KeyClaim } from './read-request.ts'
import { demandStrongKey } from './weak-keys.ts'

/**
 * The key that shall be certified, proven: by a signature over one of the texts that stand for the principal, or by the signature of a
 * certification request, whose names are not looked at. Throws `key_malformed`, `key_unsupported`, `key_weak`, `pem_malformed`,
 * `certificate_request_malformed`, `algorithm_unsupported` or `possession_unproven`.
 */
export async function provenKey(claim: KeyClaim, proofTexts: readonly string[]): Promise<PublicKey> {
  if (claim.kind === 'request') return keyOfRequest(claim.request)
  const key =
    claim.content.includes(0x2d) && startsAsPem(claim.content) ? parsePublicKeyPem(fromUtf8(claim.content)) : parsePublicKey(claim.content)
  demandStrongKey(key)
  const algorithm = defaultAlgorithm(key)
  if (!proofTexts.some((text) => verifyMessage(algorithm, key, utf8(text), claim.proof))) throw unproven()
  return key
}

function startsAsPem(content: Uint8Array): boolean {
  return fromUtf8(content.slice(0, 64).map((byte) => (byte < 0x80 ? byte : 0x20)))
    .trimStart()
    .startsWith('-----BEGIN ')
}

async function keyOfRequest(pem: Uint8Array): Promise<PublicKey> {
  const [block, more] = decodePem(fromUtf8(pem), 'CERTIFICATE REQUEST')
  if (block === undefined || more !== undefined)
    throw new CountersignError('certificate_request_malformed', 'there is not exactly one certification request')
  const request = parseCertificateRequest(block.bytes)
  demandStrongKey(request.key)
  if (!(await verifyCertificateRequest(serverPrimitives, request))) throw unproven()
  return request.key
}

function unproven(): CountersignError {
  return new CountersignError(
    'possession_unproven',
    'the proof of possession is not a signature of this key over the identity in the token',
    {
      expected: 'a signature over the e-mail address, or over the subject, of the token',
    },
  )
}
