/** Verifies a timestamp against the timestamp authorities of a trusted root (RFC 3161 §2.2, §2.3; RFC 5816). */
import { equalBytes } from '../bytes.ts'
import { isNamedSigner, verifySignedData } from '../cms/verify.ts'
import { CountersignError, type FailureCode } from '../failure.ts'
import type { Primitives } from '../primitives.ts'
import type { AuthorityInstance } from '../trust/model.ts'
import { parseCertificate, type Certificate } from '../x509/certificate.ts'
import { verifyChain, type CertificateReader } from '../x509/chain.ts'
import { matchSigningCertificate } from './signing-certificate.ts'
import type { TimestampResponse, TimestampToken } from './token.ts'

export {
  maxTimestampBytes,
  parseTimestampResponse,
  parseTimestampToken,
  type TimestampInfo,
  type TimestampResponse,
  type TimestampToken,
} from './token.ts'

/** A proven time and who vouches for it; or a refusal. */
export type TimestampResult =
  | {
      readonly ok: true
      /** genTime, Unix milliseconds. */
      readonly timeMs: number
      /** Subject of the authority's certificate, for people. */
      readonly authority: string
      /** Which of the authorities given; the same one proves one time however many tokens it made. */
      readonly authorityIndex: number
    }
  | { readonly ok: false; readonly code: FailureCode; readonly detail: string; readonly expected?: string; readonly found?: string }

type Refusal = Extract<TimestampResult, { ok: false }>

/**
 * Verifies that an authority of the trusted root stamped `message` (for signatures: the raw signature bytes).
 *
 * Refuses with `timestamp_untrusted` when no authority made it, or the authority was not trusted at its time, and with
 * `timestamp_invalid` when it is altered or stamps something else. The certificate comes from the trusted root; where the root names only
 * the authority's issuer, the embedded certificate must chain to that.
 * Throws only for what is malformed: `certificate_malformed` for a broken certificate in the trusted root.
 */
export async function verifyTimestamp(input: {
  readonly response: TimestampResponse
  readonly message: Uint8Array
  readonly authorities: readonly AuthorityInstance[]
  readonly primitives: Primitives
  /** For the certificates of the authority, where many timestamps are verified. */
  readonly recall?: { readonly primitives: Primitives; readonly reader: CertificateReader }
}): Promise<TimestampResult> {
  return verifyTimestampToken({ ...input, token: input.response.token })
}

/** As `verifyTimestamp`, for a bare token. */
export async function verifyTimestampToken(input: {
  readonly token: TimestampToken
  readonly message: Uint8Array
  readonly authorities: readonly AuthorityInstance[]
  readonly primitives: Primitives
  /** For the certificates of the authority, where many timestamps are verified. */
  readonly recall?: { readonly primitives: Primitives; readonly reader: CertificateReader }
}): Promise<TimestampResult> {
  let refusal: Refusal = untrusted('no timestamp authority of the trusted root made the timestamp')
  for (const [authorityIndex, authority] of input.authorities.entries()) {
    const leaf = signingLeaf(input.token, authority, input.recall?.reader.certificate ?? parseCertificate)
    if (leaf === undefined) continue
    const problem = await authorityProblem(input, authority, leaf)
    if (problem === undefined) {
      return { ok: true, timeMs: input.token.info.genTimeMs, authority: leaf.subject.text, authorityIndex }
    }
    if (refusal.code !== 'timestamp_invalid') refusal = problem
  }
  return refusal
}

/** The certificate that the token says it was made with, if this authority vouches for it. */
function signingLeaf(token: TimestampToken, authority: AuthorityInstance, read: (der: Uint8Array) => Certificate): Certificate | undefined {
  const [first] = authority.certificates
  if (first === undefined) return undefined
  const { signer, certificates } = token.signedData
  const trusted = read(first)
  if (trusted.basicConstraints?.ca !== true) return isNamedSigner(signer.identifier, trusted) ? trusted : undefined
  return certificates.map(readable).find((each) => each !== undefined && isNamedSigner(signer.identifier, each))
}

async function authorityProblem(
  input: Omit<Parameters<typeof verifyTimestampToken>[0], 'authorities'>,
  authority: AuthorityInstance,
  leaf: Certificate,
): Promise<Refusal | undefined> {
  const { token, message, primitives } = input
  const { info, infoDer, signedData } = token
  // Hostile: a foreign authority may call itself by the issuer and serial number of a trusted one.
  if (embedsAnother(token, leaf)) return untrusted('the timestamp embeds another certificate than that of the trusted root')
  const chain = await verifyChain({
    leaf,
    intermediates: [],
    anchors: [authority],
    timeMs: info.genTimeMs,
    purpose: 'timeStamping',
    primitives: input.recall?.primitives ?? primitives,
    ...(input.recall === undefined ? {} : { reader: input.recall.reader }),
  })
  if (!chain.ok) return { ...chain, code: 'timestamp_untrusted', detail: `the timestamp authority: ${chain.detail}` }
  const match = await matchSigningCertificate(signedData.signer.signedAttributes?.values, leaf, primitives)
  const signature = await verifySignedData({ signedData, content: infoDer, certificate: leaf, primitives })
  if (match.kind === 'refused') return invalid(match.detail)
  if (match.kind === 'another') {
    return signature.ok ? invalid('it names another signing certificate') : untrusted('the timestamp was made with another certificate')
  }
  if (!signature.ok) return invalid(signature.detail)
  const digest = await primitives.hash(info.imprint.hash, message)
  return equalBytes(digest, info.imprint.digest) ? undefined : invalid('it is a timestamp of something else')
}

/** Embedded certificates never add trust. Where there are any, the signer's is among them (RFC 3161 §2.4.1) and is the trusted one. */
function embedsAnother(token: TimestampToken, leaf: Certificate): boolean {
  const { certificates, signer } = token.signedData
  const named = certificates.filter((der) => {
    const certificate = readable(der)
    return certificate !== undefined && isNamedSigner(signer.identifier, certificate)
  })
  return certificates.length > 0 && (named.length === 0 || named.some((der) => !equalBytes(der, leaf.raw)))
}

/** Hostile: comes from the token. What cannot be read names nobody. */
function readable(der: Uint8Array): Certificate | undefined {
  try {
    return parseCertificate(der)
  } catch (cause) {
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}

function untrusted(detail: string): Refusal {
  return { ok: false, code: 'timestamp_untrusted', detail }
}

function invalid(detail: string): Refusal {
  return { ok: false, code: 'timestamp_invalid', detail: `the timestamp is not valid: ${detail}` }
}
