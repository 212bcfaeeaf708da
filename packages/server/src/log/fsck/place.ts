/** A log as its proof sees it: what its checkpoints and entries must be. */
import { CountersignError } from '@countersign/core/failure'
import { defaultAlgorithm } from '@countersign/core/keys/algorithm'
import type { PublicKey } from '@countersign/core/keys/public-key'
import { type Checkpoint, verifyCheckpoint } from '@countersign/core/note/checkpoint'
import { verifyCtCheckpoint } from '@countersign/core/note/ct-checkpoint'
import { hashBytes, serverPrimitives } from '../../base/crypto/primitives.ts'

/** Which log, and by whose key it is judged: one from the registry of trust, never one that lies beside the log. */
export type FsckPlace = {
  /** Its name in database and blob store. */
  readonly name: string
  readonly kind: 'rekor1' | 'rekor2' | 'ct'
  readonly publicKey: PublicKey
  /** The name in the signature lines of Rekor's checkpoints: the host. */
  readonly host: string
}

/** Verifies a checkpoint under the key of the log; its origin is the caller's to compare. Throws `checkpoint_invalid` and what parsing throws. */
export async function openCheckpoint({ kind, publicKey, host }: FsckPlace, origin: string, note: string): Promise<Checkpoint> {
  const algorithm = defaultAlgorithm(publicKey)
  if (kind === 'ct') return verifyCtCheckpoint(serverPrimitives, note, { origin, publicKey, algorithm })
  const log = {
    baseUrl: `https://${host}`,
    hashAlgorithm: 'sha256',
    publicKey,
    algorithm: algorithm.name,
    validFor: { start: 0 },
    logId: hashBytes('sha256', publicKey.spki),
  } as const
  const verified = await verifyCheckpoint({ envelope: note, log, primitives: serverPrimitives })
  if (verified.ok) return verified.checkpoint
  throw new CountersignError(verified.code, verified.detail, {
    ...(verified.expected === undefined ? {} : { expected: verified.expected }),
    ...(verified.found === undefined ? {} : { found: verified.found }),
  })
}
