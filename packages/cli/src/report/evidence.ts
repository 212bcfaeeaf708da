/** Evidence and refusals as the report writes them. */
import type { Evidence, Refusal, SignerEvidence } from '@countersign/core/verify/evidence'
import type { SignatureOrigin } from '@countersign/sdk/verify/requests'
import { failureReport } from './conclusion.ts'
import type { SignatureReport, SignerReport } from './schema.ts'

/** An accepted signature. */
export function acceptedReport(evidence: Evidence, origin?: SignatureOrigin): SignatureReport {
  return {
    accepted: true,
    ...(origin === undefined ? {} : { origin }),
    signer: signerReport(evidence.signer),
    algorithm: evidence.algorithm,
    ...(evidence.artifact === undefined ? {} : { artifact: evidence.artifact }),
    content: evidence.content.kind === 'statement' ? evidence.content.predicateType : evidence.content.kind,
    annotations: evidence.annotations,
    ...(evidence.terms === undefined ? {} : { terms: termsReport(evidence.terms) }),
    log: evidence.log.map((entry) => ({
      baseUrl: entry.baseUrl,
      logIndex: entry.logIndex,
      proof: entry.proof,
      ...(entry.integratedTimeMs === undefined ? {} : { integratedTime: isoTime(entry.integratedTimeMs) }),
    })),
    times: evidence.times.map((time) => ({ source: time.source, time: isoTime(time.timeMs), authority: time.authority })),
    checks: evidence.checks,
    waivers: evidence.waivers,
  }
}

/** A signature that was not accepted, and why. */
export function rejectedReport(refusal: Refusal, origin?: SignatureOrigin): SignatureReport {
  return { accepted: false, ...(origin === undefined ? {} : { origin }), checks: refusal.checks, failure: failureReport(refusal) }
}

function signerReport(signer: SignerEvidence): SignerReport {
  if (signer.kind === 'key') return signer
  const { issuer, subject, fingerprint, keyFingerprint, extensions, own } = signer
  return {
    kind: 'certificate',
    issuer,
    subject,
    fingerprint,
    keyFingerprint,
    notBefore: isoTime(signer.notBeforeMs),
    notAfter: isoTime(signer.notAfterMs),
    extensions,
    ...(own === undefined ? {} : { certifiedAs: { names: own.names.map(({ value }) => value), distinguishedName: own.distinguishedName } }),
  }
}

function termsReport({ expiresMs, name }: NonNullable<Evidence['terms']>): NonNullable<SignatureReport['terms']> {
  return { ...(expiresMs === undefined ? {} : { expires: isoTime(expiresMs) }), ...(name === undefined ? {} : { name }) }
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
