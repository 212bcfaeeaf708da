/** The promise of a certificate transparency log to publish the signer's certificate. */
import { CountersignError } from '../failure.ts'
import type { TrustedRoot } from '../trust/model.ts'
import type { Certificate } from '../x509/certificate.ts'
import type { ChainRequest } from '../x509/chain.ts'
import { verifyScts, type SctResult } from '../x509/sct.ts'
import type { Ledger } from './ledger.ts'
import type { Demand } from './policy.ts'
import { timeText } from './time.ts'

/**
 * Proves that at least one embedded timestamp is by a CT log of the trusted root, within the validity of that log's key. A certificate is
 * never let off because nobody asked: only a waiver by name skips it.
 *
 * Refuses with `trust_missing` (the trusted root names no CT log), `sct_missing`, `sct_invalid`.
 */
export async function proveScts(
  leaf: Certificate,
  issuer: Certificate,
  trustedRoot: TrustedRoot,
  demand: Demand,
  { primitives, reader }: Pick<ChainRequest, 'primitives' | 'reader'>,
  ledger: Ledger,
): Promise<void> {
  if (demand.kind === 'waived_UNSAFE') return ledger.waived('signed_certificate_timestamp', demand.reason)
  const { ctLogs } = trustedRoot
  if (ctLogs.length === 0) {
    throw new CountersignError('trust_missing', 'the trusted root names no certificate transparency log', {
      hint: 'Give a trusted root that names the log of the certificate authority.',
    })
  }
  const results = await verifyScts({
    leaf,
    issuerSpki: issuer.spki,
    ctLogs,
    primitives,
    ...(reader?.parts === undefined ? {} : { parts: reader.parts }),
  })
  if (results.length === 0) {
    throw new CountersignError('sct_missing', 'the certificate carries no signed certificate timestamp', {
      expected: ctLogs.map(({ baseUrl }) => baseUrl).join(', '),
    })
  }
  const promise = results.find((result): result is Extract<SctResult, { ok: true }> => result.ok)
  if (promise === undefined) {
    const reasons = results.map((result) => (result.ok ? '' : result.reason))
    throw new CountersignError('sct_invalid', 'no signed certificate timestamp of the certificate holds', { found: reasons.join('; ') })
  }
  ledger.held(
    'signed_certificate_timestamp',
    `CT log ${promise.baseUrl} promised at ${timeText(promise.timestampMs)} to publish the certificate`,
  )
}
