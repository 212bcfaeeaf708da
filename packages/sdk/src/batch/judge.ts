/** What an artifact of a run is judged by, and what becomes of it. */
import type { Digest } from '@countersign/core/digest'
import type { CountersignError } from '@countersign/core/failure'
import type { CompiledPolicy } from '@countersign/core/policy/compile'
import type { RevocationState } from '@countersign/core/policy/revocations'
import type { Verdict } from '@countersign/core/policy/verdict'
import type { Evidence, Refusal } from '@countersign/core/verify/evidence'
import type { VerifyPolicy } from '@countersign/core/verify/policy'
import type { Anchored } from '../verify/anchored.ts'
import type { SignatureOrigin } from '../verify/requests.ts'

/** Who must have signed: the demands of one verification, or an artifact policy. Equal `id`s demand the same. */
export type Judge = { readonly id: string } & Anchored &
  (
    | { readonly kind: 'demands'; readonly policy: VerifyPolicy }
    | { readonly kind: 'policy'; readonly policy: CompiledPolicy; readonly revocations: ReadonlyMap<string, RevocationState> }
  )

/** What became of one artifact. `ok` unless it is refused. Nothing in it holds the signatures' bytes, for there may be many of them. */
export type ItemVerdict = {
  readonly ok: boolean
  /** Images: `registry/repo@sha256:…`. */
  readonly reference?: string
  readonly digest?: Digest
  /** The list by whose signature a file is vouched for. */
  readonly listedIn?: string
  readonly accepted: readonly { readonly evidence: Evidence; readonly origin?: SignatureOrigin }[]
  readonly rejected: readonly { readonly refusal: Refusal; readonly origin?: SignatureOrigin }[]
  readonly unreadable: readonly CountersignError[]
  /** By an artifact policy alone. */
  readonly verdict?: Verdict
  readonly failure?: Refusal
}

/** Nothing but a refusal. */
export function refused(failure: Refusal, more: Partial<Pick<ItemVerdict, 'digest' | 'reference'>> = {}): ItemVerdict {
  return { ok: false, accepted: [], rejected: [], unreadable: [], ...more, failure }
}
