/** From a verified token and a proven key to a certificate that is in the log. */
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { PublicKey } from '@countersign/core/keys/public-key'
import { encodePem } from '@countersign/core/pem'
import { leafIndexOf, encodeSctList } from '@countersign/core/x509/sct-encode'
import { serialBytes, serialNumber } from '@countersign/core/x509/serial'
import type { Clock } from '../../base/clock.ts'
import { hashBytes } from '../../base/crypto/primitives.ts'
import type { Authorities } from '../authority/issuing.ts'
import type { Principal } from '../issuers/principal.ts'
import type { CertificateLog } from '../ports.ts'

/** A certificate that was issued. */
export type IssuedCertificate = {
  /** PEM, the certificate first, the root last. */
  readonly chainPem: readonly string[]
  readonly certificate: Uint8Array
  readonly serial: Uint8Array
  /** Name of the authority's key. */
  readonly authority: string
  /** Index in the certificate transparency log; -1 where that log has none. */
  readonly logIndex: number
}

/** What issues. */
export type IssuanceParts = {
  readonly authorities: Authorities
  readonly log: CertificateLog
  readonly now: Clock
  readonly random: (length: number) => Uint8Array
}

const validityMs = 10 * 60_000
const keyIdBytes = 20
/** Precertificate and certificate are both in one entry of the log, which has at most 65,535 bytes. */
const maxClaimBytes = 16 * 1024

/** Issues one certificate. Rejects with `authority_missing`, `authority_damaged`, `signer_unavailable`, or as the log does. */
export async function issueCertificate(
  { authorities, log, now, random }: IssuanceParts,
  principal: Principal,
  key: PublicKey,
): Promise<IssuedCertificate> {
  demandSmallClaims(principal)
  const authority = await authorities.issuing()
  const notBeforeMs = Math.floor(now() / 1000) * 1000
  const notAfterMs = notBeforeMs + validityMs
  if (notAfterMs > authority.endsAt) throw ended()
  const serial = serialNumber(random(serialBytes))
  const keyId = hashBytes('sha256', key.raw).slice(0, keyIdBytes)
  const tbs = authority.writer.tbs({ serial, notBeforeMs, notAfterMs, key, keyId, name: principal.name, claims: principal.claims })
  // 1. The precertificate, which nobody can use: the poison in it is critical.
  const poisoned = authority.writer.certificate(tbs.precertificate, await authority.key.sign(tbs.precertificate))
  // 2. Into the log, durable and published. A crash after this leaves an entry whose certificate nobody has.
  const { chain, keyHash: issuerKeyHash } = authority
  const sct = await log.publish({ certificate: poisoned, tbs: tbs.logged, chain, issuerKeyHash })
  // 3. The certificate with the timestamp of the log: the same, but for the poison.
  const final = tbs.withScts(encodeSctList([sct]))
  const certificate = authority.writer.certificate(final, await authority.key.sign(final))
  return {
    chainPem: [encodePem('CERTIFICATE', certificate), ...authority.chainPem],
    certificate,
    serial,
    authority: authority.name,
    logIndex: leafIndexOf(sct.extensions) ?? -1,
  }
}

/** Hostile: templates multiply what is in a token. */
function demandSmallClaims({ name, claims }: Principal): void {
  const total = [name.value, ...Object.values(claims)].reduce((sum, value) => sum + utf8(value ?? '').length, 0)
  if (total <= maxClaimBytes) return
  throw new CountersignError('identity_claim_malformed', `what the token says would take ${total} bytes in a certificate`, {
    expected: `at most ${maxClaimBytes}`,
  })
}

function ended(): CountersignError {
  return new CountersignError('authority_damaged', 'the issuing authority ends before a certificate of it would', {
    hint: 'Make another intermediate with countersign ca intermediate, and activate it.',
  })
}
