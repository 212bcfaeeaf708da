/** Logs for tests: on a database and a folder of their own, with a key of their own. */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { bytesToBase64 } from '@countersign/core/base64'
import { utf8 } from '@countersign/core/bytes'
import { parsePublicKey, type PublicKey } from '@countersign/core/keys/public-key'
import { rootFromInclusionProof, verifyConsistency } from '@countersign/core/merkle/proof'
import { hashLeaf } from '@countersign/core/merkle/tree'
import { parseCheckpoint } from '@countersign/core/note/checkpoint'
import { logNoteSigner, signCheckpoint, type NoteSigner } from '@countersign/core/note/sign'
import { parseSignedNote } from '@countersign/core/note/signed-note'
import { naiveRoot } from '@countersign/testkit/naive-root'
import { fileBlobs } from '../../src/base/blobs/file-blobs.ts'
import type { BlobStore } from '../../src/base/blobs/blob-store.ts'
import { hashBytes, serverPrimitives } from '../../src/base/crypto/primitives.ts'
import type { Database } from '../../src/base/database/database.ts'
import { migrate } from '../../src/base/database/migrate.ts'
import { openSqlite } from '../../src/base/database/sqlite.ts'
import { databaseLeases, leaseMigrations } from '../../src/base/leases/database-leases.ts'
import { logMigrations } from '../../src/log/engine/tables.ts'
import type { TreeLogOptions } from '../../src/log/engine/open-log.ts'
import { searchMigrations } from '../../src/log/search/tables.ts'
import { witnessMigrations } from '../../src/log/witness/service.ts'
import type { LoggedEntry, NewEntry, TreeLog } from '../../src/log/tree-log.ts'

export const origin = 'log.example'

/** A key of a log, and what signs its checkpoints. */
export type LogKey = { readonly publicKey: PublicKey; readonly privateKey: KeyObject; readonly signer: NoteSigner }

export async function newLogKey(privateKey?: KeyObject, publicKey?: KeyObject): Promise<LogKey> {
  const pair = privateKey === undefined || publicKey === undefined ? generateKeyPairSync('ed25519') : { privateKey, publicKey }
  const parsed = parsePublicKey(new Uint8Array(pair.publicKey.export({ type: 'spki', format: 'der' })))
  const signer = await logNoteSigner(serverPrimitives, origin, parsed, (text) => new Uint8Array(sign(null, text, pair.privateKey)))
  return { publicKey: parsed, privateKey: pair.privateKey, signer }
}

/** A place where a log lives, which may be opened several times one after the other. */
export type LogPlace = {
  readonly folder: string
  readonly database: Database
  readonly blobs: BlobStore
  readonly key: LogKey
  readonly options: (more?: Partial<TreeLogOptions>) => TreeLogOptions
  readonly remove: () => Promise<void>
}

let holders = 0

export async function newLogPlace(
  use: { readonly database?: Database; readonly blobs?: BlobStore; readonly key?: LogKey; readonly folder?: string } = {},
): Promise<LogPlace> {
  const folder = use.folder ?? (await mkdtemp(path.join(tmpdir(), 'countersign-log-')))
  const database = use.database ?? (await openSqlite(path.join(folder, 'database.sqlite'), { create: true }))
  await migrate(database, [...leaseMigrations, ...logMigrations, ...witnessMigrations, ...searchMigrations])
  const blobs = use.blobs ?? (await fileBlobs(folder))
  const key = use.key ?? (await newLogKey())
  const clock = (): number => Date.now()
  return {
    folder,
    database,
    blobs,
    key,
    options: (more) => ({
      name: 'test-1',
      origin,
      database,
      blobs,
      clock,
      leases: databaseLeases(database, clock, `holder-${process.pid}-${++holders}`),
      sign: (head) => signCheckpoint(head, [key.signer]),
      ...more,
    }),
    remove: async () => {
      await database.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** An entry whose identity is its leaf hash. */
export function entryOf(text: string): NewEntry {
  const data = utf8(text)
  const leafHash = hashLeaf({ hash: hashBytes }, data)
  return { data, leafHash, identity: leafHash }
}

/** Whether the proof of an answer leads to the root of its checkpoint. */
export async function proves(entry: NewEntry, logged: LoggedEntry): Promise<boolean> {
  const { index, hashes, checkpoint } = logged
  const claim = { leaf: entry.leafHash, index, treeSize: checkpoint.size, hashes }
  const root = await rootFromInclusionProof(serverPrimitives, claim)
  const signed = parseCheckpoint(parseSignedNote(checkpoint.note).text)
  return signed.size === checkpoint.size && bytesToBase64(root) === bytesToBase64(signed.rootHash)
}

/** Re-proves a whole log from what it serves; gives the texts of its entries. */
export async function audit(log: TreeLog): Promise<readonly string[]> {
  const checkpoint = await log.checkpoint()
  const texts: string[] = []
  const leaves: Uint8Array[] = []
  for (let index = 0; index < checkpoint.size; index++) {
    const entry = await log.entry(index)
    if (entry === undefined) throw new RangeError(`no entry ${index}`)
    texts.push(Buffer.from(entry.data).toString())
    leaves.push(hashLeaf({ hash: hashBytes }, entry.data))
  }
  const root = naiveRoot(leaves)
  if (bytesToBase64(root) !== bytesToBase64(checkpoint.rootHash)) throw new RangeError('the root is not that of the entries')
  return texts
}

/** Whether a log still contains the tree of a checkpoint that it gave before. */
export async function extendsTree(log: TreeLog, before: LoggedEntry['checkpoint']): Promise<boolean> {
  const now = await log.checkpoint()
  if (before.size === 0) return true
  const hashes = await log.consistency(before.size, now.size)
  const claim = { oldSize: before.size, oldRoot: before.rootHash, newSize: now.size, newRoot: now.rootHash, hashes }
  return verifyConsistency(serverPrimitives, claim)
}
