/** Judging files by a policy. */
import { type Digest, digestAlgorithm, type HashAlgorithm } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { demandsOf, type PolicyDemands } from '@countersign/core/policy/demands'
import { type KnownArtifact, readArtifact } from '@countersign/core/verify/artifact'
import { bytesToKeepFor, requiredHashes } from '@countersign/core/verify/verify'
import { type DetachedParts, readBlobEntity } from '../blob/evidence-file.ts'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import type { BlobSource } from '../sign/requests.ts'
import { judgeClaimed, type Claimed, type Judged, type JudgingRequest } from './judging.ts'
import { asEvidenceFailure, refusalFrom } from './outcome.ts'

/** One file that claims to sign the file judged: bundle, legacy bundle, envelope or detached signature; content decides. */
export type FileEvidence = DetachedParts & {
  /** How reports call it: its path. */
  readonly name: string
  readonly bytes: Uint8Array
}

/** Judges a file. */
export type JudgeFileRequest = JudgingRequest & {
  /** The file, read once; or a digest of it that the caller trusts. */
  readonly file: BlobSource | Digest
  /** The name by which the policy's globs see it. */
  readonly path: string
  /** Everything that came with it; none at all is an artifact without signatures. */
  readonly evidence: readonly FileEvidence[]
  /** Evidence that is there and could not be read. */
  readonly unreadable?: readonly CountersignError[]
}

/** The verdict, and what it was made of; without a verdict the file could not be read. `ok` unless the verdict is `deny`. */
export type FileVerdict = Omit<Judged<string>, 'verdict'> & Partial<Pick<Judged<string>, 'verdict'>> & { readonly digest?: Digest }

/**
 * Judges a file of any size with all its signatures: it is read and hashed once, whatever their number. Refusals are values, of a file that
 * cannot be read too (`file_not_found`, `io_failed`).
 *
 * @example
 * ```ts
 * import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
 * import { loadPolicy } from '@countersign/sdk/policy/source'
 *
 * const rules = '{"apiVersion":"countersign.dev/v1", …}'
 * const demands = await loadPolicy(rules, 'policy.json', { primitives: nodePrimitives })
 * const evidence = [{ name: 'app.sigstore.json', bytes: bundle }]
 * const result = await judgeFile({ file: fileBlobSource('app'), path: 'app', evidence, policy: demands, nowMs: Date.now() })
 * console.log(result.verdict?.decision ?? result.failure?.detail)
 * ```
 */
export async function judgeFile(request: JudgeFileRequest): Promise<FileVerdict> {
  const claimed = request.evidence.map(claimOf)
  const demands = demandsOf(request.policy)
  let known: KnownArtifact
  try {
    known = await readFile(request.file, demands, claimed)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return { ok: false, accepted: [], rejected: [], unreadable: [], failure: refusalFrom(cause) }
  }
  const digest = known.digests.find((one) => digestAlgorithm(one) === 'sha256') ?? known.digests[0]
  const judged = await judgeClaimed(request, {
    artifact: { kind: 'file', path: request.path, digests: known.digests },
    signed: { kind: 'known', artifact: known },
    claimed,
    unreadable: request.unreadable ?? [],
  })
  return digest === undefined ? judged : { ...judged, digest }
}

function claimOf({ name, bytes, ...parts }: FileEvidence): Claimed<string> {
  try {
    return { origin: name, source: name, bytes, parsed: { ok: true, entity: readBlobEntity(bytes, parts) } }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return { origin: name, source: name, bytes, parsed: { ok: false, failure: asEvidenceFailure(cause) } }
  }
}

/** Reads it once, in every hash function that any of the signatures needs. */
async function readFile(file: BlobSource | Digest, demands: PolicyDemands, claimed: readonly Claimed<string>[]): Promise<KnownArtifact> {
  if (typeof file === 'string') return readArtifact({ kind: 'digest', digests: [file] }, [], 0, nodePrimitives)
  const hashes = new Set<HashAlgorithm>(['sha256'])
  let keep = 0
  for (const { parsed } of claimed) {
    for (const policy of parsed.ok ? [demands.keys, demands.certificates, demands.authorities] : []) {
      if (policy === undefined || !parsed.ok) continue
      try {
        for (const hash of requiredHashes(parsed.entity, policy)) hashes.add(hash)
        keep = Math.max(keep, bytesToKeepFor(parsed.entity, policy))
      } catch (cause) {
        // What makes it unreadable, its verification says.
        if (!(cause instanceof CountersignError) || cause.code === 'internal') throw cause
      }
    }
  }
  return readArtifact({ kind: 'stream', stream: file.open() }, [...hashes], keep, nodePrimitives)
}
