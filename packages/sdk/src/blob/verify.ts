/** Verifying files. */
import type { SignedEntity } from '@countersign/core/bundle/model'
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Artifact } from '@countersign/core/verify/artifact'
import type { Verification } from '@countersign/core/verify/evidence'
import type { VerifyPolicy } from '@countersign/core/verify/policy'
import { verifyEntity } from '@countersign/core/verify/verify'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import type { BlobSource } from '../sign/requests.ts'
import { type Anchored, anchoredAs } from '../verify/anchored.ts'
import { asEvidenceFailure, refusalFrom } from '../verify/outcome.ts'
import { type DetachedParts, readBlobEntity } from './evidence-file.ts'

/** Verifies a file against what came beside it. */
export type VerifyBlobRequest = DetachedParts &
  Anchored & {
    /** The file, or a digest of it that the caller trusts. */
    readonly artifact: BlobSource | Digest
    /** A Sigstore bundle, cosign's legacy bundle, a DSSE envelope, or a detached signature (base64 or raw): content decides. */
    readonly evidence: Uint8Array
    readonly policy: VerifyPolicy
    /** Unix milliseconds. */
    readonly nowMs: number
  }

/**
 * Verifies a file of any size: it is read and hashed once. Refusals are values, of a file that cannot be read too (`file_not_found`, `io_failed`).
 *
 * No key and no anchor is taken from `evidence`. A pure Ed25519 signature needs the file's bytes, 128 MiB at most.
 *
 * @example
 * ```ts
 * const result = await verifyBlob({ artifact: fileBlobSource('release.tar.gz'), evidence: bundle, policy, nowMs: Date.now() })
 * console.log(result.ok ? result.evidence.checks : result.code)
 * ```
 */
export async function verifyBlob(request: VerifyBlobRequest): Promise<Verification> {
  const { artifact } = request
  return verify(
    request,
    typeof artifact === 'string' ? { kind: 'digest', digests: [artifact] } : { kind: 'stream', stream: artifact.open() },
  )
}

/** Verifies an attestation; the file may be absent when its digest is known, or when the claims are waived. */
export type VerifyBlobAttestationRequest = Omit<VerifyBlobRequest, 'artifact'> & { readonly artifact?: BlobSource | Digest }

/**
 * Verifies an attestation of a file, given the file or its digest. Without either it throws `usage`, unless the policy waives the claims.
 *
 * @example
 * ```ts
 * const result = await verifyBlobAttestation({ artifact: digest, evidence: bundle, policy, nowMs: Date.now() })
 * if (result.ok && result.evidence.content.kind === 'statement') console.log(result.evidence.content.predicateType)
 * ```
 */
export async function verifyBlobAttestation(request: VerifyBlobAttestationRequest): Promise<Verification> {
  const { artifact } = request
  if (artifact !== undefined) return verifyBlob({ ...request, artifact })
  if (request.policy.claims.kind !== 'waived_UNSAFE') {
    throw new CountersignError('usage', 'neither the file nor its digest was given', { hint: 'Name the file, or give its digest.' })
  }
  return verify(request, { kind: 'bytes', bytes: new Uint8Array() })
}

async function verify(request: Omit<VerifyBlobRequest, 'artifact'>, artifact: Artifact): Promise<Verification> {
  let entity: SignedEntity
  try {
    entity = readBlobEntity(request.evidence, request)
  } catch (cause) {
    if (cause instanceof CountersignError) return refusalFrom(asEvidenceFailure(cause))
    throw cause
  }
  const { policy, nowMs } = request
  return verifyEntity({
    entity,
    artifact,
    policy,
    ...anchoredAs(request),
    nowMs,
    primitives: nodePrimitives,
  })
}
