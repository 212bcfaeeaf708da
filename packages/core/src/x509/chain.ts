/**
 * Certification paths at a given time (RFC 5280 §6), from a leaf to an anchor of the trusted root.
 *
 * Time comes from evidence, never from a clock. Certificates that arrive with a signature are candidates only.
 */
import { equalBytes } from '../bytes.ts'
import { CountersignError, type FailureCode } from '../failure.ts'
import { parsePublicKey, type PublicKey } from '../keys/public-key.ts'
import type { Primitives } from '../primitives.ts'
import type { AuthorityInstance } from '../trust/model.ts'
import { signatureAlgorithmOf } from './algorithm-identifier.ts'
import { parseCertificate, type Certificate } from './certificate.ts'
import type { FulcioIdentity } from './fulcio.ts'
import type { SignedCertificateTimestamp } from './sct.ts'
import { issuerProblem, leafProblem, validityProblem, type Problem, type Purpose } from './suitability.ts'

/** An authority whose last certificate is an anchor and whose others are trusted to lie between it and a leaf. */
export type ChainAuthority = Pick<AuthorityInstance, 'certificates' | 'validFor'>

/** What a chain is verified from. */
export type ChainRequest = {
  readonly leaf: Certificate
  /** Candidates from outside, e.g. from a bundle: at most 16 are looked at. */
  readonly intermediates: readonly Certificate[]
  readonly anchors: readonly ChainAuthority[]
  /** Unix milliseconds; inside the validity of every certificate, ends included. */
  readonly timeMs: number
  readonly purpose: Purpose
  readonly primitives: Primitives
  /** How certificates and keys are read; for verifying many. */
  readonly reader?: CertificateReader
}

/** Reads certificates and keys. One that remembers gives for the same bytes what it gave before. */
export type CertificateReader = {
  /** Fails as {@link parseCertificate}. */
  readonly certificate: (der: Uint8Array) => Certificate
  /** Fails as {@link parsePublicKey}. */
  readonly publicKey: (spki: Uint8Array) => PublicKey
  /** What is read of a certificate that this reader has read. */
  readonly parts?: CertificateParts
}

/** What is read out of a certificate, each time or once. */
export type CertificateParts = {
  /** Fails as {@link fulcioIdentity}. */
  readonly identity: (certificate: Certificate) => FulcioIdentity
  /** Fails as {@link embeddedScts}. */
  readonly scts: (certificate: Certificate) => readonly SignedCertificateTimestamp[]
  /** What a CT log was shown of it. Fails as {@link precertificateTbs}. */
  readonly precertificate: (certificate: Certificate) => Uint8Array
}

/** Reads everything anew. */
const certificateReader: CertificateReader = { certificate: parseCertificate, publicKey: parsePublicKey }

/** A verified chain, leaf first and anchor last, and which authority it leads to; or a refusal. */
export type ChainResult =
  | { readonly ok: true; readonly chain: readonly Certificate[]; readonly authorityIndex: number }
  | ({ readonly ok: false } & Problem)

const maxIntermediates = 16
const maxChainLength = 8
const maxSignatureChecks = 32

/**
 * Finds a chain from the leaf to an anchor that holds at `timeMs`.
 *
 * Refuses with `certificate_untrusted` (no path, a wrong signature), `certificate_expired` (a certificate or the authority is not valid at
 * that time) or `certificate_unsuitable` (its extensions do not allow the use). Throws `certificate_malformed` only for a broken
 * certificate in the trusted root itself.
 */
export async function verifyChain(request: ChainRequest): Promise<ChainResult> {
  const { leaf, timeMs, purpose } = request
  const problem = validityProblem(leaf, timeMs, 'the signing certificate') ?? leafProblem(leaf, purpose)
  if (problem) return { ok: false, ...problem }
  const budget = { signatureChecks: maxSignatureChecks }
  let refusal: Problem = untrusted('no authority of the trusted root issued the certificate', leaf.issuer.text)
  for (const [authorityIndex, authority] of request.anchors.entries()) {
    const search = startSearch(request, authority, budget)
    const outcome = search && (await extend([leaf], search))
    if (outcome?.ok) return { ok: true, chain: outcome.chain, authorityIndex }
    refusal = moreTelling(outcome?.problem, refusal)
  }
  return { ok: false, ...refusal }
}

type Search = {
  readonly request: ChainRequest
  readonly authority: ChainAuthority
  readonly anchor: Certificate
  /** The anchor first, then trusted intermediates, then candidates from outside. */
  readonly candidates: readonly Certificate[]
  /** Hostile: certificates that name each other's issuer would make the search exponential. */
  readonly budget: { signatureChecks: number }
}

type Outcome = { readonly ok: true; readonly chain: readonly Certificate[] } | { readonly ok: false; readonly problem: Problem | undefined }

function startSearch(request: ChainRequest, authority: ChainAuthority, budget: Search['budget']): Search | undefined {
  const { certificate } = request.reader ?? certificateReader
  const trusted = authority.certificates.map((der) => certificate(der)).toReversed()
  const [anchor] = trusted
  if (anchor === undefined) return undefined
  const candidates = [...trusted, ...request.intermediates.slice(0, maxIntermediates)]
  return { request, authority, anchor, candidates, budget }
}

/** Adds every possible issuer to the path in turn. Keeps the most telling problem. */
async function extend(path: readonly Certificate[], search: Search): Promise<Outcome> {
  const subject = path.at(-1) as Certificate
  let problem: Problem | undefined
  for (const candidate of search.candidates) {
    if (!isNamedIssuer(subject, candidate) || path.some((seen) => equalBytes(seen.raw, candidate.raw))) continue
    const step = await tryIssuer(path, candidate, search)
    if (step.ok) return step
    problem = step.problem && moreTelling(step.problem, problem ?? step.problem)
  }
  return { ok: false, problem }
}

async function tryIssuer(path: readonly Certificate[], issuer: Certificate, search: Search): Promise<Outcome> {
  const { primitives, purpose, timeMs, reader } = search.request
  const subject = path.at(-1) as Certificate
  if (search.budget.signatureChecks-- <= 0) return refuse(untrusted('too many candidates for its chain', subject.issuer.text))
  if (!(await isSignedBy(subject, issuer, primitives, reader))) {
    return refuse(
      untrusted(`the signature of ${issuer.subject.text || 'the issuer'} on a certificate does not verify`, subject.issuer.text),
    )
  }
  const problem =
    authorityProblem(search.authority, timeMs) ??
    validityProblem(issuer, timeMs, 'an authority certificate') ??
    issuerProblem(issuer, path, purpose)
  if (problem) return refuse(problem)
  const chain = [...path, issuer]
  if (equalBytes(issuer.raw, search.anchor.raw)) return { ok: true, chain }
  if (chain.length >= maxChainLength)
    return refuse(untrusted(`its chain is longer than ${maxChainLength} certificates`, issuer.issuer.text))
  const deeper = await extend(chain, search)
  return deeper.ok ? deeper : refuse(deeper.problem ?? untrusted('its chain does not lead to the trusted root', issuer.issuer.text))
}

/** RFC 5280 §6.1.3(a)(4), names as bytes; key identifiers where both sides have one (§4.2.1.1). */
function isNamedIssuer(subject: Certificate, issuer: Certificate): boolean {
  if (!equalBytes(subject.issuer.raw, issuer.subject.raw)) return false
  const { keyId, serial } = subject.authorityKeyId ?? {}
  if (keyId && issuer.subjectKeyId && !equalBytes(keyId, issuer.subjectKeyId)) return false
  return serial === undefined || equalBytes(serial, issuer.serial)
}

/**
 * Whether a certificate's signature was made by the issuer's key. An unsupported algorithm or key is a `false`; throws
 * `algorithm_unsupported` only where the primitives themselves lack an algorithm, which says nothing about the signature.
 */
export async function isSignedBy(
  subject: Certificate,
  issuer: Certificate,
  primitives: Primitives,
  reader: CertificateReader = certificateReader,
): Promise<boolean> {
  try {
    const key = reader.publicKey(issuer.spki)
    const algorithm = signatureAlgorithmOf(subject.signatureAlgorithm, key)
    return algorithm !== undefined && (await primitives.verify(algorithm, key, subject.tbs, subject.signature))
  } catch (cause) {
    if (!(cause instanceof CountersignError) || !unusable.has(cause.code)) throw cause
    return false
  }
}

/** Failures of reading a key or the parameters of an algorithm. */
const unusable: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'key_malformed',
  'key_unsupported',
  'der_malformed',
  'der_too_deep',
  'der_too_large',
])

/** Ends included, as Sigstore's trusted root means them (client-spec §3; conformance case trust-root-tsa-end-inclusive). */
function authorityProblem(authority: ChainAuthority, timeMs: number): Problem | undefined {
  const { start, end } = authority.validFor
  if (timeMs >= start && (end === undefined || timeMs <= end)) return undefined
  return { code: 'certificate_expired', detail: 'the trusted root does not trust the authority at that time' }
}

/** That a certificate of the right key is expired or unsuitable says more than that another of its name has another key. */
function moreTelling(newer: Problem | undefined, older: Problem): Problem {
  return newer === undefined || (newer.code === 'certificate_untrusted' && older.code !== 'certificate_untrusted') ? older : newer
}

function untrusted(detail: string, issuer: string): Problem {
  return { code: 'certificate_untrusted', detail, found: `issuer ${issuer}` }
}

function refuse(problem: Problem): Outcome {
  return { ok: false, problem }
}
