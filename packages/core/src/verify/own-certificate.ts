/** A signer certified by an authority of the verifier's own: a chain to anchors that the verifier named, and the names that it demands. */
import { CountersignError } from '../failure.ts'
import type { Primitives } from '../primitives.ts'
import type { Certificate } from '../x509/certificate.ts'
import { verifyChain } from '../x509/chain.ts'
import type { Problem } from '../x509/suitability.ts'
import type { ReadCertificate } from './certificate.ts'
import type { Recall } from './certificate-cache.ts'
import type { OwnCertificateEvidence, SignerEvidence, TrustedTime } from './evidence.ts'
import type { Ledger } from './ledger.ts'
import type { CertifiedSubject, OwnAuthority } from './policy.ts'
import { fingerprintsOf } from './signer-certificate.ts'
import { timeText } from './time.ts'

type Surroundings = {
  readonly nowMs: number
  readonly primitives: Primitives
  readonly recall: Recall | undefined
  readonly ledger: Ledger
}

/** Kinds of alternative names that are text; others are kept apart, so that no two kinds can be taken for one another. */
const textual: ReadonlySet<string> = new Set(['email', 'dns', 'uri', 'username', 'ip'])

/**
 * Proves by which of the authorities the signer is certified, under a name that each accepts: the chain holds at every trusted time, RFC 5280 §6.
 * Certificates that came with the signature are candidates only. No log entry and no SCT is asked for: such authorities have none.
 *
 * Refuses with `trust_missing`, `identity_mismatch`, `trusted_time_missing`, `certificate_untrusted`, `certificate_expired`,
 * `certificate_unsuitable`.
 */
export async function proveOwnCertificate(
  certificate: ReadCertificate,
  authorities: readonly OwnAuthority[],
  times: readonly TrustedTime[],
  surroundings: Surroundings,
): Promise<SignerEvidence> {
  const { leaf } = certificate
  if (authorities.length === 0) throw new CountersignError('trust_missing', 'no authority was named whose certificates may sign')
  const subject = subjectOf(leaf)
  // Names first: for a stranger's certificate no signature is computed.
  const named = authorities.filter(({ accepts }) => accepts(subject))
  if (named.length === 0) {
    throw new CountersignError('identity_mismatch', 'the certificate belongs to somebody else', {
      expected: authorities
        .slice(0, 8)
        .map(({ text }) => text)
        .join(', or '),
      found: [...subject.alternativeNames.slice(0, 8), leaf.subject.text].filter((name) => name !== '').join(', '),
    })
  }
  const problems: Problem[] = []
  const proven: string[] = []
  for (const authority of named) {
    const problem = await problemWith(certificate, authority, times, surroundings)
    if (problem === undefined) proven.push(authority.id)
    else problems.push(problem)
  }
  if (proven.length === 0) throw asFailure(problems)
  const { notBeforeMs, notAfterMs } = leaf
  return {
    kind: 'certificate',
    issuer: leaf.issuer.text,
    subject: subject.alternativeNames[0] ?? subject.commonName ?? leaf.subject.text,
    ...(await fingerprintsOf(certificate, surroundings.primitives)),
    notBeforeMs,
    notAfterMs,
    extensions: {},
    own: ownEvidence(leaf, proven),
  }
}

function subjectOf(leaf: Certificate): CertifiedSubject {
  const { commonName } = leaf.subject
  const alternativeNames = leaf.alternativeNames.filter(({ kind }) => textual.has(kind)).map(({ value }) => value)
  return { issuer: leaf.issuer.text, ...(commonName === undefined ? {} : { commonName }), alternativeNames }
}

function ownEvidence(leaf: Certificate, authorities: readonly string[]): OwnCertificateEvidence {
  const { commonName, text } = leaf.subject
  const names = leaf.alternativeNames.filter(({ kind }) => textual.has(kind)).map(({ kind, value }) => ({ kind, value }))
  return { authorities, names, ...(commonName === undefined ? {} : { commonName }), distinguishedName: text }
}

async function problemWith(
  { leaf, candidates }: ReadCertificate,
  { anchors, purpose, time, text }: OwnAuthority,
  times: readonly TrustedTime[],
  { nowMs, primitives, recall, ledger }: Surroundings,
): Promise<Problem | undefined> {
  const byClock = times.length === 0 && time.kind === 'verifier_clock_UNSAFE'
  const moments = byClock ? [nowMs] : [...new Set(times.map(({ timeMs }) => timeMs))]
  if (moments.length === 0) {
    const expected = 'a timestamp of a trusted authority, or a signed entry timestamp of a trusted log'
    return { code: 'trusted_time_missing', detail: 'nothing proves when the certificate was used', expected }
  }
  let anchor = ''
  for (const timeMs of moments) {
    const result = await verifyChain({ leaf, intermediates: candidates, anchors, timeMs, purpose, primitives, ...recall })
    if (!result.ok) return result
    anchor = result.chain.at(-1)?.subject.text ?? ''
  }
  const when = byClock ? `the verifier's clock alone (UNSAFE: ${time.reason})` : moments.map(timeText).join(', ')
  ledger.held('certificate_chain', `${anchor} is an anchor of the verifier's own; the chain holds at ${when}`)
  ledger.held('identity', text)
  return undefined
}

/** The problem that says most: that a chain is there and expired says more than that another authority has none. */
function asFailure(problems: readonly Problem[]): CountersignError {
  const told = problems.find(({ code }) => code !== 'certificate_untrusted') ?? problems[0]
  if (told === undefined) return new CountersignError('internal', 'a certificate refused without a reason')
  const { code, detail, expected, found } = told
  return new CountersignError(code, detail, { ...(expected === undefined ? {} : { expected }), ...(found === undefined ? {} : { found }) })
}
