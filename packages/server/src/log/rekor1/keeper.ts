/**
 * A Rekor v1 log on its storage and key: made once, opened at every start. Its origin is `<host> - <tree ID>` and its checkpoints have exactly one
 * signature: clients tell version 1 by the one and refuse any other signature line.
 */
import { randomBytes } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import { shardName } from '@countersign/core/note/checkpoint'
import { logNoteSigner, signCheckpoint } from '@countersign/core/note/sign'
import { hashBytes, serverPrimitives } from '../../base/crypto/primitives.ts'
import type { RoleKey } from '../../base/keys/role-key.ts'
import { createTreeLog, openTreeLog, type OpenTreeLog, type TreeLogOptions } from '../engine/open-log.ts'
import { readTree } from '../engine/tree-store.ts'

/** Where the log is, its key (P-256: signed entry timestamps are ECDSA over SHA-256), and the host of the public URL. */
export type Rekor1LogOptions = Omit<TreeLogOptions, 'sign' | 'format' | 'origin' | 'cosign'> & {
  readonly key: RoleKey
  readonly host: string
}

/** One shard of a v1 log. Its entries come after those of the shards before it. */
export type Shard = {
  readonly log: Pick<OpenTreeLog, 'add' | 'checkpoint' | 'entry' | 'indexOfLeaf' | 'consistency' | 'failure' | 'outstanding'>
  readonly key: RoleKey
  /** SHA-256 of the key's SubjectPublicKeyInfo. */
  readonly logId: Uint8Array
  /** Decimal, of a positive 63-bit number. */
  readonly treeId: string
  /** Entries in the shards before. */
  readonly firstIndex: number
}

/** Makes the log, empty, with a tree ID of its own. Throws `log_exists`. */
export async function createRekor1Log(options: Rekor1LogOptions): Promise<void> {
  const treeId = (randomBytes(8).readBigUInt64BE() >> 1n) | 1n
  const origin = `${options.host} - ${treeId}`
  await createTreeLog({ ...options, origin, sign: await signerOf(options) })
}

/** Opens the log. Throws as {@link openTreeLog}; `log_inconsistent` when it is that of another host. */
export async function openRekor1Log(options: Rekor1LogOptions, firstIndex = 0): Promise<Shard & { readonly log: OpenTreeLog }> {
  const { origin } = await readTree(options.database, options.name)
  if (shardName(origin) !== options.host) {
    throw new CountersignError('log_inconsistent', `the log ${options.name} is that of another host`, {
      expected: options.host,
      found: origin,
    })
  }
  const log = await openTreeLog({ ...options, origin, sign: await signerOf(options) })
  const logId = hashBytes('sha256', options.key.publicKey.spki)
  return { log, key: options.key, logId, treeId: origin.slice(origin.lastIndexOf(' ') + 1), firstIndex }
}

async function signerOf({ key, host }: Rekor1LogOptions): Promise<TreeLogOptions['sign']> {
  const signer = await logNoteSigner(serverPrimitives, host, key.publicKey, key.sign)
  return (head) => signCheckpoint(head, [signer])
}
