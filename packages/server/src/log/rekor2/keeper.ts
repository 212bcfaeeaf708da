/** A Rekor v2 log on its storage and key: made once, opened at every start. */
import { noteKeyId } from '@countersign/core/note/key-id'
import { logNoteSigner, signCheckpoint } from '@countersign/core/note/sign'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { RoleKey } from '../../base/keys/role-key.ts'
import { createTreeLog, openTreeLog, type OpenTreeLog, type TreeLogOptions } from '../engine/open-log.ts'

/** Where the log is, its key, and its origin: the host of the public URL, without port and path, as every client computes it. */
export type Rekor2LogOptions = Omit<TreeLogOptions, 'sign' | 'format' | 'leafIndex'> & { readonly key: RoleKey }

/** Makes the log, empty. Throws `log_exists`. */
export async function createRekor2Log(options: Rekor2LogOptions): Promise<void> {
  await createTreeLog({ ...options, sign: await signerOf(options) })
}

/** Opens the log. Throws as {@link openTreeLog}. `logId` is the whole identifier of its key, 32 bytes. */
export async function openRekor2Log(options: Rekor2LogOptions): Promise<{ readonly log: OpenTreeLog; readonly logId: Uint8Array }> {
  const logId = await noteKeyId(serverPrimitives, options.origin, options.key.publicKey)
  return { log: await openTreeLog({ ...options, sign: await signerOf(options) }), logId }
}

async function signerOf({ key, origin }: Rekor2LogOptions): Promise<TreeLogOptions['sign']> {
  const signer = await logNoteSigner(serverPrimitives, origin, key.publicKey, key.sign)
  return (head) => signCheckpoint(head, [signer])
}
