/** That an entry is in the log: its leaf leads, by the inclusion proof, to the root of a tree head that the log has signed. */
import { bytesToHex, equalBytes } from '../bytes.ts'
import type { InclusionProofClaim, TransparencyLogEntry } from '../bundle/model.ts'
import { CountersignError } from '../failure.ts'
import { leafHash, verifyInclusion } from '../merkle/proof.ts'
import { shardName, verifyCheckpoint, type Checkpoint } from '../note/checkpoint.ts'
import type { Primitives } from '../primitives.ts'
import type { LogInstance } from '../trust/model.ts'
import type { Ledger } from './ledger.ts'
import { isVersion2 } from './log-kind.ts'

/** An entry with a proof that leads to a tree head. */
export type ProvableEntry = TransparencyLogEntry & { readonly inclusionProof: InclusionProofClaim & { readonly checkpoint: string } }

/** Whether an entry comes with all that {@link proveInclusion} takes. */
export function isProvable(entry: TransparencyLogEntry): entry is ProvableEntry {
  return entry.inclusionProof?.checkpoint !== undefined
}

/**
 * Proves inclusion. Refuses with `checkpoint_invalid` (the tree head is not the log's, or not the proof's), `inclusion_proof_invalid`.
 * The caller has seen that `log` is the one that the entry names.
 */
export async function proveInclusion(entry: ProvableEntry, log: LogInstance, primitives: Primitives, ledger: Ledger): Promise<void> {
  const proof = entry.inclusionProof
  demandIndex(entry, proof.logIndex)
  const checkpoint = await signedTreeHead(entry, log, primitives)
  if (checkpoint.size !== proof.treeSize || !equalBytes(checkpoint.rootHash, proof.rootHash)) {
    throw new CountersignError('checkpoint_invalid', 'the checkpoint is of another tree than the inclusion proof', {
      expected: `${bytesToHex(checkpoint.rootHash)}, size ${checkpoint.size}`,
      found: `${bytesToHex(proof.rootHash.subarray(0, 64))}, size ${proof.treeSize}`,
    })
  }
  ledger.held('checkpoint', `tree of size ${checkpoint.size} signed by ${log.baseUrl}`)
  const claim = {
    leaf: await leafHash(primitives, entry.canonicalizedBody),
    index: proof.logIndex,
    treeSize: checkpoint.size,
    hashes: proof.hashes,
  }
  if (!(await readingProof(async () => verifyInclusion(primitives, claim, checkpoint.rootHash)))) {
    throw new CountersignError(
      'inclusion_proof_invalid',
      'the inclusion proof does not lead from the log entry to the root that the log signed',
    )
  }
  ledger.held('inclusion_proof', `entry at index ${proof.logIndex} of ${checkpoint.size} in log ${log.baseUrl}`)
}

/** A v2 log has one index. A v1 log counts over its shards, so that the index inside the last one is never the larger. */
function demandIndex(entry: TransparencyLogEntry, index: number): void {
  if (isVersion2(entry) ? entry.logIndex === index : entry.logIndex >= index) return
  throw new CountersignError('inclusion_proof_invalid', 'the inclusion proof is for another index than the log entry', {
    expected: String(entry.logIndex),
    found: String(index),
  })
}

/** The checkpoint, once it is the log's. Rekor v1 writes `host - treeID` as its origin, a v2 log its name alone: each entry needs its own. */
async function signedTreeHead(entry: ProvableEntry, log: LogInstance, primitives: Primitives): Promise<Checkpoint> {
  const result = await verifyCheckpoint({ envelope: entry.inclusionProof.checkpoint, log, primitives })
  if (!result.ok) {
    const { code, detail, expected, found } = result
    throw new CountersignError(code, detail, { ...(expected === undefined ? {} : { expected }), ...(found === undefined ? {} : { found }) })
  }
  const { checkpoint } = result
  if (isVersion2(entry) === (shardName(checkpoint.origin) === undefined)) return checkpoint
  throw new CountersignError('checkpoint_invalid', 'the checkpoint is of a log of another generation than the entry', {
    expected: isVersion2(entry) ? 'the name of a Rekor v2 log' : 'name and tree of a Rekor v1 log',
    found: checkpoint.origin.slice(0, 255),
  })
}

/** A proof that belongs to no tree proves nothing; to the verifier it is one more that does not hold. */
async function readingProof(verify: () => Promise<boolean>): Promise<boolean> {
  try {
    return await verify()
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code !== 'proof_malformed') throw cause
    throw new CountersignError('inclusion_proof_invalid', cause.message, { cause })
  }
}
