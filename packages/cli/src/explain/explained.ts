/** Everything that is known about one verification after it ran. */
import type { CountersignError } from '@countersign/core/failure'
import type { Verdict } from '@countersign/core/policy/verdict'
import type { Evidence, Refusal } from '@countersign/core/verify/evidence'
import type { FoundLayout, SignatureOrigin } from '@countersign/sdk/verify/requests'
import type { TraceEvent } from '@countersign/sdk/trace'
import type { PolicyReport } from '../report/schema.ts'

/** One signature or attestation and what became of it. */
export type ExplainedSignature = {
  /** A name for people: the file that holds it, or the digest of its blob. */
  readonly name: string
  readonly origin?: SignatureOrigin
  readonly result: { readonly evidence: Evidence } | { readonly refusal: Refusal }
}

/** What one place held. */
export type ExplainedLayout = {
  readonly layout: FoundLayout
  readonly signatures: number
  readonly attestations: number
  /** Could not be parsed. */
  readonly broken: number
}

/** One verification. */
export type Explained = {
  readonly kind: 'image' | 'file'
  /** What is asked for: signatures, or attestations of a type. */
  readonly content: string
  readonly demands: PolicyReport
  readonly events: readonly TraceEvent[]
  /** Events that were too many to keep. */
  readonly dropped: number
  readonly reference?: string
  readonly digest?: string
  /** Absent where nothing was searched: files, and images that do not resolve. */
  readonly layouts?: readonly ExplainedLayout[]
  readonly signatures: readonly ExplainedSignature[]
  readonly unreadable: readonly CountersignError[]
  readonly verdict?: Verdict
  readonly failure?: Refusal
  /** Certificates that were proven when nobody was named, for the advice alone. */
  readonly proven: readonly Evidence[]
}
