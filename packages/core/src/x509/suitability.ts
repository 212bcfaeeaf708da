/** What a certificate may be used for at a time: validity, basic constraints, key usage, purposes (RFC 5280 §4.2.1, §6.1.4). */
import { equalBytes } from '../bytes.ts'
import type { FailureCode } from '../failure.ts'
import type { Certificate } from './certificate.ts'
import { extensionOid, purposeOid } from './oids.ts'

/** What the leaf of a chain is for: timestamps, which have rules of their own, or signatures under an extended key usage by name or OID. */
export type Purpose = 'codeSigning' | 'timeStamping' | { readonly oid: string }

/** Why a certificate cannot be used. */
export type Problem = { readonly code: FailureCode; readonly detail: string; readonly expected?: string; readonly found?: string }

/** A certificate outside its validity at `timeMs` (Unix milliseconds, both ends inside); `what` names it in the text. */
export function validityProblem(certificate: Certificate, timeMs: number, what: string): Problem | undefined {
  const { notBeforeMs, notAfterMs } = certificate
  if (timeMs >= notBeforeMs && timeMs <= notAfterMs) return undefined
  return {
    code: 'certificate_expired',
    detail: `${what} ${timeMs < notBeforeMs ? 'was not yet' : 'was no longer'} valid at the time of the signature`,
    expected: `a time from ${isoTime(notBeforeMs)} to ${isoTime(notAfterMs)}`,
    found: isoTime(timeMs),
  }
}

/** A leaf that may not be used for the purpose. */
export function leafProblem(leaf: Certificate, purpose: Purpose): Problem | undefined {
  const critical = criticalProblem(leaf)
  if (critical) return critical
  if (leaf.basicConstraints?.ca === true) return unsuitable('the signing certificate is a certificate authority')
  if (leaf.keyUsage && !maySign(leaf, purpose)) return unsuitable('the key usage of the signing certificate does not allow signatures')
  return purpose === 'timeStamping' ? timeStampingProblem(leaf) : signingProblem(leaf, oidOf(purpose))
}

/** RFC 3161 §2.3 and RFC 5280: a timestamp key may have nonRepudiation in place of digitalSignature. */
function maySign(leaf: Certificate, purpose: Purpose): boolean {
  if (leaf.keyUsage?.has('digitalSignature') === true) return true
  return purpose === 'timeStamping' && leaf.keyUsage?.has('nonRepudiation') === true
}

/** A certificate without purposes is for any in RFC 5280, and for none here: the authority must have meant signatures of this kind. */
function signingProblem(leaf: Certificate, oid: string): Problem | undefined {
  if (leaf.extKeyUsage?.includes(oid) === true) return undefined
  const name = purposeName(oid)
  return unsuitable(
    `the signing certificate is not for ${name === 'codeSigning' ? 'code signing' : name}`,
    `extended key usage ${name}`,
    leaf.extKeyUsage?.join(', ') ?? 'none',
  )
}

function oidOf(purpose: Purpose): string {
  return typeof purpose === 'string' ? purposeOid[purpose] : purpose.oid
}

function purposeName(oid: string): string {
  return Object.entries(purposeOid).find(([, known]) => known === oid)?.[0] ?? oid
}

/** RFC 3161 §2.3: exactly one purpose, and critical. */
function timeStampingProblem(leaf: Certificate): Problem | undefined {
  const purposes = leaf.extKeyUsage ?? []
  const critical = leaf.extensions.get(extensionOid.extKeyUsage)?.critical === true
  if (critical && purposes.length === 1 && purposes[0] === purposeOid.timeStamping) return undefined
  return unsuitable(
    'the certificate of the timestamp authority is not for time stamping alone',
    'extended key usage timeStamping, critical, and no other',
    `${purposes.join(', ') || 'none'}${critical ? ', critical' : ''}`,
  )
}

/** A certificate that may not have issued the last one of `path` (leaf first) for the purpose. */
export function issuerProblem(issuer: Certificate, path: readonly Certificate[], purpose: Purpose): Problem | undefined {
  const critical = criticalProblem(issuer)
  if (critical) return critical
  const name = issuer.subject.text
  if (issuer.basicConstraints?.ca !== true) return unsuitable(`${name} is no certificate authority`)
  if (issuer.keyUsage?.has('keyCertSign') === false) return unsuitable(`${name} may not sign certificates`)
  const below = path.slice(1).filter((each) => !isSelfIssued(each)).length
  const { pathLength } = issuer.basicConstraints
  if (pathLength !== undefined && below > pathLength) {
    return unsuitable(`${name} may have at most ${pathLength} authorities below it`, `${pathLength}`, `${below}`)
  }
  return purposesProblem(issuer, purpose)
}

/** Purposes of an authority limit those below it, as Go, OpenSSL and Fulcio's specification have it. */
function purposesProblem(issuer: Certificate, purpose: Purpose): Problem | undefined {
  const allowed = issuer.extKeyUsage
  const oid = oidOf(purpose)
  if (allowed === undefined || allowed.includes(oid) || allowed.includes(purposeOid.any)) return undefined
  return unsuitable(`${issuer.subject.text} may not issue certificates for ${purposeName(oid)}`, purposeName(oid), allowed.join(', '))
}

/** RFC 5280 §4.2: who does not understand a critical extension must not use the certificate. */
function criticalProblem(certificate: Certificate): Problem | undefined {
  const [oid] = certificate.unsupportedCritical
  return oid === undefined ? undefined : unsuitable(`a certificate has the extension ${oid}, which is critical and not supported`)
}

/** RFC 5280 §6.1: self-issued certificates do not count in a path length. */
function isSelfIssued(certificate: Certificate): boolean {
  return equalBytes(certificate.subject.raw, certificate.issuer.raw)
}

function unsuitable(detail: string, expected?: string, found?: string): Problem {
  return { code: 'certificate_unsuitable', detail, ...(expected !== undefined && { expected }), ...(found !== undefined && { found }) }
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
