/** Which entries are by certificates of our own authority. */
import { equalBytes } from '@countersign/core/bytes'
import { parsePublicKey, type PublicKey } from '@countersign/core/keys/public-key'
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
    return anyIssued(ours)(signer.certificate)
  }
}

/**
 * Gives, each time anew, what tells certificates that one of our authorities issued, at whatever time. Hostile: anybody can make a certificate with
 * any name in it.
 */
export function issuedByOurs(chains: () => Promise<readonly (readonly Uint8Array[])[]>): IssuedByOurs {
  return async () => anyIssued(await chains())
}

function anyIssued(chains: readonly (readonly Uint8Array[])[]): (certificate: Certificate) => Promise<boolean> {
  const issuers = chains.flatMap(([issuer]) => (issuer === undefined ? [] : [issuerOf(issuer)]))
  return async (certificate) => {
    for (const issuer of issuers) if (await isIssuedBy(certificate, issuer)) return true
    return false
  }
}

/** See {@link issuedByOurs}. */
export type IssuedByOurs = () => Promise<(certificate: Certificate) => Promise<boolean>>

type CertificateIssuer = { readonly subject: Uint8Array; readonly key: PublicKey }

function issuerOf(der: Uint8Array): CertificateIssuer {
  const { subject, spki } = parseCertificate(der)
  return { subject: subject.raw, key: parsePublicKey(spki) }
}

async function isIssuedBy(certificate: Certificate, { subject, key }: CertificateIssuer): Promise<boolean> {
  if (!equalBytes(certificate.issuer.raw, subject)) return false
  const algorithm = signatureAlgorithmOf(certificate.signatureAlgorithm, key)
  return algorithm !== undefined && serverPrimitives.verify(algorithm, key, certificate.tbs, certificate.signature)
}
