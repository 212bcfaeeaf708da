/** How the engine keeps a Rekor v2 log (c2sp.org/tlog-checkpoint): who signs its checkpoints, and the identifier of its key. */
import { noteKeyId } from '@countersign/core/note/key-id'
import { logNoteSigner, signCheckpoint } from '@countersign/core/note/sign'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { RoleKey } from '../../base/keys/role-key.ts'
import type { TreeLogOptions } from '../engine/open-log.ts'

/** Signs the checkpoints of a log with its key. `origin`: the host of the public URL, without port and path, as every client computes it. */
export async function rekor2TreeOptions(key: RoleKey, origin: string): Promise<Pick<TreeLogOptions, 'origin' | 'sign'>> {
  const signer = await logNoteSigner(serverPrimitives, origin, key.publicKey, key.sign)
  return { origin, sign: (head) => signCheckpoint(head, [signer]) }
}

/** The whole identifier of the key of a log, 32 bytes. */
export async function rekor2LogId(key: RoleKey, origin: string): Promise<Uint8Array> {
  return noteKeyId(serverPrimitives, origin, key.publicKey)
}
