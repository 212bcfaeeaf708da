/** What `verifyImage` and `verifyBlob` take and give. */
import type { Digest } from '@countersign/core/digest'
import type { CountersignError } from '@countersign/core/failure'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { Evidence, Refusal } from '@countersign/core/verify/evidence'
import type { VerifyPolicy } from '@countersign/core/verify/policy'
import type { Connection } from '../connection.ts'
import type { Anchored } from './anchored.ts'

/** The layouts in which signatures are found. */
export type FoundLayout =
  /** Sigstore bundle listed by the referrers API. */
  | 'bundle-referrer'
  /** Sigstore bundle in the fallback index, tag `sha256-<hex>`. */
  | 'bundle-fallback-tag'
  /** Sigstore bundle under a writer's own tag, not yet merged into the fallback index. */
  | 'bundle-writer-tag'
  /** A legacy signature under a writer's own tag, not yet merged into `.sig` or `.att`. */
  | 'legacy-writer-tag'
  /** cosign's tags `.sig`, `.att`, `.sbom`. */
  | 'legacy-tag'
  /** cosign's experimental legacy signature as an OCI 1.1 referrer. */
  | 'legacy-referrer'

/** Where a signature was found. */
export type SignatureOrigin = {
  readonly layouts: readonly FoundLayout[]
  readonly manifest: Digest
  /** The blob that holds the bundle, payload or envelope. */
  readonly blob: Digest
}

/** A signature that satisfied the policy. */
export type AcceptedSignature = {
  readonly origin: SignatureOrigin
  readonly evidence: Evidence
  /** As stored. */ readonly bytes: Uint8Array
}

/** A signature that did not, and why. */
export type RejectedSignature = { readonly origin: SignatureOrigin; readonly refusal: Refusal }

/** Verifies an image. */
export type VerifyImageRequest = Anchored & {
  readonly image: ImageReference
  readonly policy: VerifyPolicy
  /** Unix milliseconds. */
  readonly nowMs: number
  readonly connection: Connection
  readonly signatureRepository?: ImageReference
  /** Accept only signatures that are bound to the name of the image, `registry/repository`; `name_mismatch` for others. */
  readonly checkName?: boolean
  /**
   * Demand that the image itself is there also where it is named by its digest and signed acceptably; `artifact_not_found` when it is not.
   * Default false: a signature is of a digest, whether or not the registry still has what that names.
   */
  readonly checkPresent?: boolean
  /** How long signatures of this image are verified, milliseconds; what is left then could not be told. Default two minutes. */
  readonly timeLimitMs?: number
}

/** The outcome for one image: `ok` when at least one signature satisfied the policy. */
export type ImageVerification = {
  readonly ok: boolean
  /** As asked for. */
  readonly image: string
  /** `registry/repo@sha256:…`; absent when the image could not be resolved. */
  readonly reference?: string
  readonly digest?: Digest
  readonly accepted: readonly AcceptedSignature[]
  readonly rejected: readonly RejectedSignature[]
  /** Places that could not be read; with none accepted they make the outcome "could not tell". */
  readonly unreadable: readonly CountersignError[]
  /** Why not, when not `ok`: the gravest of all reasons. */
  readonly failure?: Refusal
}
