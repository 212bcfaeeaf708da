/** Cases of a policy: an artifact, the evidence of it as it would have been proven, and what the verdict must be. */
import type { Digest } from '../digest.ts'
import type { FailureCode } from '../failure.ts'
import type { JsonObject, JsonValue } from '../json/parse.ts'
import type { ImageReference } from '../oci/reference.ts'
import type { Decision } from '../policy/model.ts'
import type { RuleReport } from '../policy/verdict.ts'
import type { SignedTerms } from '../verify/terms.ts'

/** Who signed in a case. */
export type CaseSigner =
  /** An identity of the policy: which of its keys, or the names that its certificate would carry. */
  | { readonly kind: 'identity'; readonly name: string; readonly key: number }
  /** Whoever has a certificate with these names; extensions by the last arc of their OID. */
  | {
      readonly kind: 'certificate'
      readonly issuer: string
      readonly subject: string
      readonly extensions: Readonly<Record<string, string>>
    }
  /** Somebody with a key that nobody named. */
  | { readonly kind: 'outsider'; readonly name: string }

/** One signature or attestation of a case. */
export type CaseEvidence = {
  readonly signer: CaseSigner
  /** The time that is proven, Unix milliseconds; absent: none. */
  readonly signedMs?: number
  readonly logged: boolean
  readonly annotations: Readonly<Record<string, string>>
  /** What the signer bound the signature to. */
  readonly terms: SignedTerms
  /** Absent: a signature. A file holds the predicate as JSON, beside the document of cases. */
  readonly attestation?: {
    readonly predicateType: string
    readonly predicate: { readonly kind: 'value'; readonly value: JsonValue } | { readonly kind: 'file'; readonly path: string }
  }
  /** Set: verification refused it with this code. */
  readonly refused?: FailureCode
  /** Of another artifact. */
  readonly ofOther: boolean
  readonly path: string
}

/** The list that a case gives for one source of revocations. */
export type CaseList =
  | { readonly kind: 'missing' }
  | { readonly kind: 'list'; readonly expired: boolean; readonly version: number; readonly entries: JsonValue; readonly path: string }

/** What must come out. What is absent may be anything. */
export type Expectation = {
  readonly decision: Decision
  readonly code?: FailureCode
  readonly rules: ReadonlyMap<string, RuleReport['outcome']>
  /** Must occur in the reasons. */
  readonly reason?: string
}

/** What a case is about. */
export type CaseSubject =
  | {
      readonly kind: 'image'
      readonly reference: ImageReference
      readonly digest?: Digest
      readonly mediaType?: string
      readonly platforms?: readonly string[]
    }
  | { readonly kind: 'file'; readonly path: string; readonly digest?: Digest; readonly mediaType?: string }
  /** Really read and verified, by whoever runs the cases: an image, or a file with what claims to sign it. */
  | { readonly kind: 'real'; readonly image: string }
  | { readonly kind: 'real_file'; readonly file: string; readonly bundles: readonly string[] }

/** One case. */
export type PolicyCase = {
  readonly name: string
  readonly subject: CaseSubject
  readonly evidence: readonly CaseEvidence[]
  /** Why something could not be read. */
  readonly unreadable: readonly FailureCode[]
  readonly revocations: ReadonlyMap<string, CaseList>
  readonly nowMs?: number
  readonly expected: Expectation
  readonly path: string
}

/** A document of cases. Paths in it are relative to it. */
export type CaseDocument = {
  readonly policy?: string
  readonly keys: readonly string[]
  readonly cases: readonly PolicyCase[]
}

/** What differs from what was expected. */
export type CaseDifference = {
  readonly what: string
  readonly expected: string
  readonly found: string
} & JsonObject
