/** Which entries are by certificates of our own authority. */
import { equalBytes } from '@countersign/core/bytes'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import type { ProposedEntry } from '@countersign/core/rekor/entry'
import { signatureAlgorithmOf } from '@countersign/core/x509/algorithm-identifier'
import { type Certificate, parseCertificate } from '@countersign/core/x509/certificate'
import type { Clock } from '../base/clock.ts'
import { serverPrimitives } from '../base/crypto/primitives.ts'

/** How long after its certificate ended an entry may come, for those who could not reach the log at once. */
const graceMs = 24 * 3600_000

/**
 * Tells entries whose certificate one of our authorities signed, whichever of them: what one of them issued stays welcome after it was replaced.
 * `chains` are theirs, DER, the issuing certificate first.
 *
 * Hostile: somebody who once had a certificate, and whose account was disabled since, would write for ever with its key; and somebody who has one
 * would put what they like into the log as certificates that it allegedly chains to, as often as they like for one signature.
 */
export function ofOwnAuthority(
  chains: () => Promise<readonly (readonly Uint8Array[])[]>,
  now: Clock,
): (entry: Pick<ProposedEntry, 'signer'>) => Promise<boolean> {
  return async ({ signer }) => {
    if (signer.kind !== 'certificate' || now() > signer.certificate.notAfterMs + graceMs) return false
    const ours = await chains()
    const ofOurs = (der: Uint8Array): boolean => ours.some((chain) => chain.some((one) => equalBytes(one, der)))
    if (!(signer.chain ?? []).every(ofOurs)) return false
    for (const [issuer] of ours) if (issuer !== undefined && (await isIssuedBy(signer.certificate, parseCertificate(issuer)))) return true
    return false
  }
}

async function isIssuedBy(certificate: Certificate, issuer: Certificate): Promise<boolean> {
  if (!equalBytes(certificate.issuer.raw, issuer.subject.raw)) return false
  const key = parsePublicKey(issuer.spki)
  const algorithm = signatureAlgorithmOf(certificate.signatureAlgorithm, key)
  return algorithm !== undefined && serverPrimitives.verify(algorithm, key, certificate.tbs, certificate.signature)
}
