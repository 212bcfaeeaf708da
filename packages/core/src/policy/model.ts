/** A policy as read: what `kind: ArtifactPolicy` may say. Nothing here is resolved or compiled yet. */
import type { TimeRange } from '../trust/model.ts'
import type { NameMatch } from '../verify/policy.ts'

/** What a rule, or an artifact that no rule speaks of, comes to. */
export type Decision = 'allow' | 'warn' | 'deny'

/** Which artifacts are meant; any one of the lists is enough, and within `mediaTypes` it narrows the other two. */
export type ArtifactMatch = {
  /** Globs over `registry/repository`, with an optional glob of the tag after a colon. */
  readonly images: readonly string[]
  /** Globs over the path of a file as it was given. */
  readonly files: readonly string[]
  /** Exact media types; none named accepts every one. */
  readonly mediaTypes: readonly string[]
}

/** Where a trusted key comes from: written in the policy, or given beside it by name or by fingerprint. */
export type KeySource =
  | { readonly kind: 'pem'; readonly pem: string }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'fingerprint'; readonly fingerprint: string }

/** A key of an identity and when its signatures count. Windows of two keys may overlap: that is a rotation. */
export type PolicyKey = { readonly source: KeySource; readonly validFor?: TimeRange; readonly path: string }

/** Where certificates come from: PEM in the policy, or a file beside it. A file may hold several. */
export type CertificateSource = { readonly kind: 'pem'; readonly pem: string } | { readonly kind: 'file'; readonly file: string }

/** Whoever an authority of one's own (a company's PKI) has certified under a name: every name given must match. */
export type OwnCertificateMatch = {
  readonly kind: 'x509'
  readonly roots: readonly CertificateSource[]
  readonly intermediates: readonly CertificateSource[]
  /** One of the subject alternative names (mail address, DNS name, URI, IP address). */
  readonly subject?: NameMatch
  readonly commonName?: NameMatch
  /** Distinguished name of the issuer, RFC 4514. */
  readonly issuer?: NameMatch
  /** OID of the extended key usage that the certificate must have. */
  readonly purpose: string
  /** UNSAFE: why a chain that holds now is enough where nothing proves when the signature was made. */
  readonly verifierClockReason?: string
  readonly validFor?: TimeRange
}

/** A person, team or machine that may sign, under the name that rules use. */
export type PolicyIdentity = {
  readonly name: string
  readonly signer:
    | { readonly kind: 'keys'; readonly keys: readonly PolicyKey[] }
    | {
        readonly kind: 'certificate'
        readonly issuer: NameMatch
        readonly subject: NameMatch
        /** Fulcio extensions by the last arc of their OID. */
        readonly extensions: ReadonlyMap<string, NameMatch>
        readonly validFor?: TimeRange
      }
    | OwnCertificateMatch
  /** Who stands behind it; identities of one person count once where a group is distinct by person. */
  readonly person?: string
  readonly roles: readonly string[]
  readonly path: string
}

/** What must differ between two signatures so that both count in a group. */
export type Distinct = 'identity' | 'person' | 'role'

/** Who must have signed: one identity, or `threshold` of several parties. A group inside another counts there as one. */
export type Party =
  | { readonly kind: 'identity'; readonly name: string; readonly path: string }
  | {
      readonly kind: 'group'
      readonly name: string
      readonly threshold: number
      readonly of: readonly Party[]
      readonly distinct: Distinct
      /** Each must be filled by another of the signers that count. */
      readonly roles: readonly string[]
      readonly path: string
    }

/** When a signature must have been made, by its trusted time. */
export type TimeDemand = {
  /** Without any trusted time the signature does not count. */
  readonly required: boolean
  /** A proven entry of a transparency log. */
  readonly logged: boolean
  readonly beforeMs?: number
  readonly afterMs?: number
  readonly maxAgeMs?: number
}

/** What a signer must have bound a signature to. */
export type TermsDemand = {
  readonly expires: boolean
  /** From when it was made, by its trusted time, until it expires. */
  readonly maxLifetimeMs?: number
  /** The name of the repository must be signed, and be the one that is judged, or one that it mirrors. */
  readonly boundName: boolean
}

/** A place that holds copies of another: a name below `from` is also the same name below `to`. */
export type Mirror = { readonly from: string; readonly to: string }

/** One thing that must hold of an artifact. */
export type PolicyRule = {
  readonly name: string
  readonly match?: ArtifactMatch
  readonly demand:
    | {
        readonly kind: 'signature'
        readonly by: Party
        readonly annotations: ReadonlyMap<string, string>
        readonly time: TimeDemand
        readonly terms: TermsDemand
      }
    | {
        readonly kind: 'attestation'
        readonly predicateType: string
        readonly by: Party
        /** CEL over `predicate` and `artifact`. */
        readonly condition?: string
        /** Of each signer only the newest counts, by trusted time. */
        readonly newest: boolean
        readonly time: TimeDemand
      }
    | { readonly kind: 'platforms'; readonly platforms: readonly string[] }
  readonly onMissing: Decision
  readonly onFail: Decision
  readonly path: string
}

/** A list of revocations that the policy listens to, and who must have signed it. */
export type RevocationSource = {
  readonly name: string
  readonly keys: readonly PolicyKey[]
  readonly threshold: number
  /** Least version; for a run that keeps no state. */
  readonly minVersion: number
  /** What the verdict comes to when no list, or none that can be relied on, is there. */
  readonly required: boolean
  readonly path: string
}

/** The whole document. */
export type ArtifactPolicy = {
  readonly name: string
  readonly match: ArtifactMatch
  readonly unmatched: Decision
  readonly identities: ReadonlyMap<string, PolicyIdentity>
  readonly rules: readonly PolicyRule[]
  readonly revocations: readonly RevocationSource[]
  readonly mirrors: readonly Mirror[]
}
