/** What one verification demands of one signature. Choices are unions; what is skipped is named UNSAFE and carries a reason. */
import type { PublicKey } from '../keys/public-key.ts'
import type { TimeRange } from '../trust/model.ts'
import type { ChainAuthority } from '../x509/chain.ts'
import type { Purpose } from '../x509/suitability.ts'

/** A public key that the verifier trusts, from its own configuration, never from the thing verified. */
export type TrustedKey = {
  readonly key: PublicKey
  /** How the person who asked calls it: a file name, an environment variable, a URL. */
  readonly label: string
  /** The signature's trusted time must lie inside; without a trusted time a window refuses. */
  readonly validFor?: TimeRange
}

/**
 * How a name in a certificate must compare. Exact names compare as bytes. In a glob (`glob.ts`) one star stands for anything up to the next
 * slash, two stars for slashes too. A pattern is RE2, anchored as `^(?:P)$`.
 */
export type NameMatch =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'glob'; readonly value: string }
  | { readonly kind: 'pattern'; readonly value: string }

/** Who may have signed keyless: both names must match, and every extension named. */
export type IdentityMatch = {
  readonly issuer: NameMatch
  readonly subject: NameMatch
  /** Last arc of the Fulcio extension OID (`1.3.6.1.4.1.57264.1.N`) to the value it must have. */
  readonly extensions?: ReadonlyMap<number, NameMatch>
}

/** The names that an authority wrote into a certificate. */
export type CertifiedSubject = {
  /** Of the certificate's issuer, a distinguished name, RFC 4514. */
  readonly issuer: string
  readonly commonName?: string
  /** Values of the subject alternative names of supported kinds. */
  readonly alternativeNames: readonly string[]
}

/** An authority of the verifier's own (a company's PKI), and whom of those that it certified may have signed. */
export type OwnAuthority = {
  /** Equal for equal demands alone: evidence refers to it. */
  readonly id: string
  /** The demand in words. */
  readonly text: string
  /** From the verifier's own configuration, never from the thing verified. */
  readonly anchors: readonly ChainAuthority[]
  readonly accepts: (subject: CertifiedSubject) => boolean
  readonly purpose: Exclude<Purpose, 'timeStamping'>
  /** When the chain must hold: at every trusted time, or where none is proven at the verifier's clock, which proves nothing about the signature. */
  readonly time: { readonly kind: 'trusted' } | { readonly kind: 'verifier_clock_UNSAFE'; readonly reason: string }
}

/** Who may have signed. Lists are "any of them" and must not be empty. */
export type SignerDemand =
  | { readonly kind: 'keys'; readonly keys: readonly TrustedKey[] }
  | { readonly kind: 'identities'; readonly identities: readonly IdentityMatch[] }
  | { readonly kind: 'authorities'; readonly authorities: readonly OwnAuthority[] }
  | { readonly kind: 'any_certified_signer_UNSAFE'; readonly reason: string }

/** Whether a check must succeed, is left out because nobody asked for it (keys only), or is waived by name. */
export type Demand =
  | { readonly kind: 'required' }
  | { readonly kind: 'not_demanded' }
  | { readonly kind: 'waived_UNSAFE'; readonly reason: string }

/** What the signed content must be. An attestation is never a signature. */
export type ContentDemand =
  /** A signature of the artifact: message signature, simple-signing payload, or a statement of type cosign/sign/v1. */
  | { readonly kind: 'signature'; readonly annotations?: ReadonlyMap<string, string> }
  /** A statement whose predicate is not a signature; `predicateType` absent accepts every attestation type. */
  | { readonly kind: 'attestation'; readonly predicateType?: string }
  /** Whatever is bound to the artifact: for tools that only check a bundle (the conformance suite). */
  | { readonly kind: 'any_content' }

/** The demands of one verification. Keyless must have log, SCT and trusted time `required` or waived by name. */
export type VerifyPolicy = {
  readonly signer: SignerDemand
  readonly content: ContentDemand
  readonly log: Demand
  readonly sct: Demand
  /** Demands an RFC 3161 timestamp of a trusted authority, beyond any time that the log gives. */
  readonly signedTimestamp: Demand
  /** Whether the artifact must be bound by digest; cosign's `--check-claims=false` waives it. */
  readonly claims: Demand
}
