/** Chains of authorities: as text, and the demands that clients will make on them. */
import { equalBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { PublicKey } from '@countersign/core/keys/public-key'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { decodePem, encodePem } from '@countersign/core/pem'
import { signatureAlgorithmOf } from '@countersign/core/x509/algorithm-identifier'
import { parseCertificate, type Certificate } from '@countersign/core/x509/certificate'
import { issuerProblem, validityProblem } from '@countersign/core/x509/suitability'
import { serverPrimitives } from '../../base/crypto/primitives.ts'

const maxLength = 5

/** Certificates, DER, from PEM. */
export function readChain(pem: string): readonly Uint8Array[] {
  return decodePem(pem, 'CERTIFICATE').map(({ bytes }) => bytes)
}

/** Certificates as PEM, one after the other. */
export function chainPem(chain: readonly Uint8Array[]): string {
  return chain.map((certificate) => encodePem('CERTIFICATE', certificate)).join('')
}

/**
 * Checks the chain of an intermediate, its own certificate first: of this key, each signed by the next, the last by itself, all of them valid now and
 * fit to issue certificates for code signing. Throws `certificate_unsuitable`, `certificate_expired`, `certificate_untrusted`, `key_mismatch`.
 */
export async function checkChain(chain: readonly Uint8Array[], key: PublicKey, nowMs: number): Promise<void> {
  const certificates = chain.map(parseCertificate)
  const [first, second] = certificates
  if (first === undefined || second === undefined || certificates.length > maxLength) {
    throw new CountersignError('certificate_unsuitable', `a chain of ${certificates.length} certificates`, {
      expected: `the intermediate first, its root last, at most ${maxLength}`,
    })
  }
  if (!equalBytes(first.spki, key.spki))
    throw new CountersignError('key_mismatch', 'the first certificate is not for the key of this intermediate')
  // The reference demands the purpose of intermediates (fulcio, docs/certificate-specification.md): without it a chain would be good for anything.
  if (first.extKeyUsage === undefined) {
    throw new CountersignError('certificate_unsuitable', 'the intermediate has no extended key usage', { expected: 'codeSigning' })
  }
  if (first.subjectKeyId === undefined)
    throw new CountersignError('certificate_unsuitable', 'the intermediate has no subject key identifier')
  for (const [i, certificate] of certificates.entries()) await checkLink(certificates, i, certificate, nowMs)
}

async function checkLink(certificates: readonly Certificate[], i: number, certificate: Certificate, nowMs: number): Promise<void> {
  // Problems of an issuer are judged from the leaf that it will issue: the path below it begins with one.
  const below = [certificate, ...certificates.slice(0, i)]
  const problem =
    validityProblem(certificate, nowMs, `the certificate of ${certificate.subject.text}`) ??
    issuerProblem(certificate, below, 'codeSigning')
  if (problem !== undefined) throw new CountersignError(problem.code, problem.detail)
  const issuer = certificates[i + 1] ?? certificate
  const issuerKey = parsePublicKey(issuer.spki)
  const algorithm = signatureAlgorithmOf(certificate.signatureAlgorithm, issuerKey)
  const isNamed = equalBytes(certificate.issuer.raw, issuer.subject.raw)
  const holds = algorithm !== undefined && (await serverPrimitives.verify(algorithm, issuerKey, certificate.tbs, certificate.signature))
  if (!isNamed || !holds) {
    throw new CountersignError('certificate_untrusted', `${certificate.subject.text} is not signed by ${issuer.subject.text}`, {
      expected: 'a chain that ends with a self-signed root',
    })
  }
}
