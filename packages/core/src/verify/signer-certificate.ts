/** The signer's certificate: its chain at every trusted time, the promise of a CT log, and the names in it. */
import { bytesToHex } from '../bytes.ts'
import { digestFromBytes, type Digest } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { keyFingerprint } from '../keys/public-key.ts'
import type { Primitives } from '../primitives.ts'
import type { TrustedRoot } from '../trust/model.ts'
import type { Certificate } from '../x509/certificate.ts'
import { verifyChain, type ChainRequest } from '../x509/chain.ts'
import { fulcioIdentity } from '../x509/fulcio.ts'
import type { ReadCertificate } from './certificate.ts'
import type { Recall } from './certificate-cache.ts'
import type { SignerEvidence, TrustedTime } from './evidence.ts'
import { proveIdentity } from './identity.ts'
import { readingPart, type Ledger } from './ledger.ts'
import type { SignerDemand, VerifyPolicy } from './policy.ts'
import { proveScts } from './sct.ts'
import { timeText } from './time.ts'

type Surroundings = {
  readonly policy: VerifyPolicy
  readonly trustedRoot: TrustedRoot | undefined
  readonly primitives: Primitives
  readonly recall: Recall | undefined
  readonly ledger: Ledger
}

/**
 * Proves who signed: the chain holds at every trusted time (never at the wall clock's: certificates live for minutes), a CT log has promised
 * to publish the certificate, and its names are among those demanded.
 *
 * Refuses with `trust_missing`, `trusted_time_missing`, `certificate_untrusted`, `certificate_expired`, `certificate_unsuitable`,
 * `sct_missing`, `sct_invalid`, `identity_mismatch`, `pattern_malformed`.
 */
export async function proveCertificate(
  certificate: ReadCertificate,
  signer: Extract<SignerDemand, { kind: 'identities' | 'any_certified_signer_UNSAFE' }>,
  times: readonly TrustedTime[],
  surroundings: Surroundings,
): Promise<SignerEvidence> {
  const { policy, trustedRoot, primitives, recall, ledger } = surroundings
  const { leaf } = certificate
  if (trustedRoot === undefined || trustedRoot.certificateAuthorities.length === 0) {
    const what = trustedRoot === undefined ? 'no trusted root was given' : 'the trusted root names no certificate authority'
    throw new CountersignError('trust_missing', `the signature was made with a certificate, but ${what}`, {
      hint: 'Give a trusted root that names the certificate authority.',
    })
  }
  const checkedAt = chainTimes(leaf, times, policy)
  let issuer: Certificate | undefined
  for (const timeMs of checkedAt) issuer = await proveChain(certificate, timeMs, trustedRoot, { primitives, ...recall })
  if (issuer === undefined) throw new CountersignError('internal', 'a chain without issuer')
  ledger.held(
    'certificate_chain',
    `${issuer.subject.text} issued the certificate; the chain holds at ${checkedAt.map(timeText).join(', ')}`,
  )
  await proveScts(leaf, issuer, trustedRoot, policy.sct, { primitives, ...recall }, ledger)
  const {
    issuer: identityIssuer,
    subject,
    extensions,
  } = readingPart('certificate_unsuitable', "the signer's certificate", () => (recall?.reader.parts?.identity ?? fulcioIdentity)(leaf))
  if (signer.kind === 'any_certified_signer_UNSAFE') ledger.waived('identity', signer.reason)
  else {
    const arcs = new Map(Object.entries(extensions).map(([arc, value]) => [Number(arc), value]))
    await proveIdentity({ issuer: identityIssuer, subject, extensions: arcs }, signer.identities, ledger)
  }
  const { notBeforeMs, notAfterMs } = leaf
  const fingerprints = await fingerprintsOf(certificate, primitives)
  return { kind: 'certificate', issuer: identityIssuer, subject, ...fingerprints, notBeforeMs, notAfterMs, extensions }
}

/** Every trusted time; when trusted time is waived by name and there is none, the moment of issuing, which proves nothing about the signature. */
function chainTimes(leaf: Certificate, times: readonly TrustedTime[], policy: VerifyPolicy): readonly number[] {
  if (times.length > 0) return [...new Set(times.map(({ timeMs }) => timeMs))]
  if (policy.signedTimestamp.kind !== 'waived_UNSAFE') {
    throw new CountersignError('trusted_time_missing', 'nothing proves when the certificate was used', {
      expected: 'a timestamp of a trusted authority, or a signed entry timestamp of a trusted log',
    })
  }
  return [leaf.notBeforeMs]
}

async function proveChain(
  { leaf, candidates }: ReadCertificate,
  timeMs: number,
  trustedRoot: TrustedRoot,
  means: Pick<ChainRequest, 'primitives' | 'reader'>,
): Promise<Certificate> {
  const anchors = trustedRoot.certificateAuthorities
  const result = await verifyChain({ leaf, intermediates: candidates, anchors, timeMs, purpose: 'codeSigning', ...means })
  if (!result.ok) {
    const { code, detail, ...parts } = result
    throw new CountersignError(code, detail, {
      ...(parts.expected === undefined ? {} : { expected: parts.expected }),
      ...(parts.found === undefined ? {} : { found: parts.found }),
    })
  }
  const [, issuer] = result.chain
  if (issuer === undefined) throw new CountersignError('certificate_untrusted', 'the certificate is its own anchor')
  return issuer
}

/** How evidence names a certificate and its key. */
export async function fingerprintsOf(
  { leaf, key }: ReadCertificate,
  primitives: Primitives,
): Promise<{ readonly fingerprint: Digest; readonly keyFingerprint: Digest }> {
  return { fingerprint: await fingerprintOf(leaf.raw, primitives), keyFingerprint: await keyFingerprint(key, primitives) }
}

async function fingerprintOf(der: Uint8Array, primitives: Primitives): Promise<Digest> {
  const hash = await primitives.hash('sha256', der)
  const digest = digestFromBytes('sha256', hash)
  if (digest === undefined) throw new CountersignError('internal', `SHA-256 gave ${bytesToHex(hash)}`)
  return digest
}
