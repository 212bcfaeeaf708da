/** Takes one proposed entry: read, admitted, verified, in its canonical form, then the engine's. */
import { CountersignError } from '@countersign/core/failure'
import { hashLeaf } from '@countersign/core/merkle/tree'
import type { ProposedEntryV1, SignatureClaim } from '@countersign/core/rekor/proposal-v1'
import { maxEntryBytes } from '@countersign/core/tiles/entry-bundle'
import { hashBytes, serverPrimitives } from '../../base/crypto/primitives.ts'
import type { Admission } from '../admission.ts'
import type { LoggedEntry } from '../tree-log.ts'
import type { DigestVerifier } from '../verify/verifier.ts'
import type { Shard } from './keeper.ts'

/** What taking an entry needs. */
export type RecordPorts = { readonly verifier: DigestVerifier; readonly admit: Admission }

/** Records an entry in the active shard. Throws `log_entry_refused`, `log_entry_malformed`, and what the engine throws. */
export async function recordEntry({ verifier, admit }: RecordPorts, shard: Shard, entry: ProposedEntryV1): Promise<LoggedEntry> {
  if (entry.body.length > maxEntryBytes) {
    throw new CountersignError('log_entry_malformed', 'the entry is too large', {
      expected: `at most ${maxEntryBytes} bytes`,
      found: `${entry.body.length}`,
    })
  }
  for (const claim of entry.claims) {
    const admitted = await admit({ ...digestOf(claim), signature: claim.signature, signer: claim.signer })
    if (!admitted.ok) throw new CountersignError('log_entry_refused', admitted.detail)
  }
  for (const claim of entry.claims) {
    // Hostile: an entry that nobody signed would poison every search for its signer.
    if (!(await holds(verifier, claim)))
      throw new CountersignError('log_entry_malformed', 'the signature does not hold for this content and signer')
  }
  const leafHash = hashLeaf(serverPrimitives, entry.body)
  return shard.log.add({ data: entry.body, leafHash, identity: leafHash })
}

function digestOf({ algorithms, over }: SignatureClaim): {
  readonly algorithm: SignatureClaim['algorithms'][number]
  readonly digest: Uint8Array
} {
  const [algorithm] = algorithms
  if (algorithm === undefined) throw new CountersignError('internal', 'a signature without an algorithm')
  return { algorithm, digest: over.kind === 'digest' ? over.digest : hashBytes(algorithm.hash, over.message) }
}

async function holds(verifier: DigestVerifier, { signer, signature, algorithms, over }: SignatureClaim): Promise<boolean> {
  for (const algorithm of algorithms) {
    const held =
      over.kind === 'digest'
        ? await verifier.verify(algorithm, signer.key, over.digest, signature)
        : await serverPrimitives.verify(algorithm, signer.key, over.message, signature)
    if (held) return true
  }
  return false
}
