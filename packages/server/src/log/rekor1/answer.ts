/** A Rekor v1 entry as it is answered (sigstore/rekor, openapi.yaml, `LogEntry`): the body, a promise, and a proof. */
import { bytesToBase64 } from '@countersign/core/base64'
import { bytesToHex } from '@countersign/core/bytes'
import { canonicalJson } from '@countersign/core/json/canonical'
import { hashLeaf } from '@countersign/core/merkle/tree'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { LoggedEntry } from '../tree-log.ts'
import { formatEntryId } from './entry-id.ts'
import type { Shard } from './keeper.ts'

/** An entry's ID, and the object under it. */
export type EntryAnswer = { readonly id: string; readonly entry: object }

/** Answers an entry. The promise is signed anew each time: the log holds no signatures, only what they are over. */
export async function entryAnswer(shard: Shard, data: Uint8Array, logged: LoggedEntry): Promise<EntryAnswer> {
  const { index, integratedAt, checkpoint, hashes } = logged
  const anonymous = {
    body: bytesToBase64(data),
    integratedTime: Math.floor(integratedAt / 1000),
    logID: bytesToHex(shard.logId),
    logIndex: shard.firstIndex + index,
  }
  const signedEntryTimestamp = await shard.key.sign(canonicalJson(anonymous))
  const verification = {
    inclusionProof: {
      checkpoint: checkpoint.note,
      hashes: hashes.map(bytesToHex),
      logIndex: index,
      rootHash: bytesToHex(checkpoint.rootHash),
      treeSize: checkpoint.size,
    },
    signedEntryTimestamp: bytesToBase64(signedEntryTimestamp),
  }
  return { id: formatEntryId(shard.treeId, hashLeaf(serverPrimitives, data)), entry: { ...anonymous, verification } }
}
