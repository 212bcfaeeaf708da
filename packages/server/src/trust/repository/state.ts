/** What the TUF repository has published, as rows; and the one transaction that publishes more. */
import { CountersignError } from '@countersign/core/failure'
import { parseTufMetadata, readTufRoot } from '@countersign/core/tuf/read'
import { tufRoles, type TufMetadata, type TufRole, type TufRoot } from '@countersign/core/tuf/model'
import type { Kysely, Transaction } from 'kysely'
import { hashBytes } from '../../base/crypto/primitives.ts'
import type { Database } from '../../base/database/database.ts'
import type { MetadataRow, TargetRow, TrustTables } from '../tables.ts'

/** The newest metadata of a role. */
export type Published = { readonly metadata: TufMetadata; readonly bytes: Uint8Array; readonly signedMs: number }

/** The newest metadata of each role. */
export type RepositoryState = { readonly root: TufRoot; readonly published: Readonly<Record<TufRole, Published>> }

/** New metadata, in the order in which a client may come to see it, and the files that it names. */
export type Publication = {
  readonly metadata: readonly { readonly role: TufRole; readonly bytes: Uint8Array }[]
  readonly files: ReadonlyMap<string, Uint8Array>
}

type Rows = Kysely<TrustTables> | Transaction<TrustTables>

/** Everything newest; `undefined` when nothing was ever published. Throws `trust_damaged` when a part is missing or cannot be read. */
export async function readState(database: Database): Promise<RepositoryState | undefined> {
  const rows = await newestRows(database.sql.withTables<TrustTables>())
  if (rows.size === 0) return undefined
  const read = (role: TufRole): Published => {
    const row = rows.get(role)
    if (row === undefined) throw damaged(`there is no metadata of the role ${role}`)
    return { metadata: parse(row), bytes: new Uint8Array(row.bytes), signedMs: row.signed_at }
  }
  const published = { root: read('root'), targets: read('targets'), snapshot: read('snapshot'), timestamp: read('timestamp') }
  return { root: readTufRoot(published.root.metadata), published }
}

/** The same, where there must be a repository. Throws `trust_missing`, `trust_damaged`. */
export async function demandState(database: Database): Promise<RepositoryState> {
  const state = await readState(database)
  if (state === undefined) throw new CountersignError('trust_missing', 'there is no TUF repository yet')
  return state
}

async function newestRows(sql: Rows): Promise<ReadonlyMap<TufRole, MetadataRow>> {
  const newest = new Map<TufRole, MetadataRow>()
  for (const role of tufRoles) {
    const row = await sql
      .selectFrom('trust_metadata')
      .selectAll()
      .where('role', '=', role)
      .orderBy('version', 'desc')
      .limit(1)
      .executeTakeFirst()
    if (row !== undefined) newest.set(role, row)
  }
  return newest
}

function parse(row: MetadataRow): TufMetadata {
  try {
    const metadata = parseTufMetadata(new Uint8Array(row.bytes))
    if (metadata.role === row.role && metadata.version === row.version) return metadata
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw damaged(`the metadata ${row.version}.${row.role} cannot be read`, cause)
  }
  throw damaged(`the metadata ${row.version}.${row.role} is another`)
}

/**
 * Publishes, all or nothing: metadata of several roles becomes visible at once, so that no client and no crash ever meets a timestamp that
 * promises a snapshot which is not there. Each version must be the one after the newest: `false` when another process was first, and nothing has
 * changed then. `also` runs in the same transaction.
 */
export async function publish(
  database: Database,
  publication: Publication,
  nowMs: number,
  also: (sql: Transaction<TrustTables>) => Promise<void> = async () => undefined,
): Promise<boolean> {
  const rows = publication.metadata.map(({ bytes }) => metadataRow(bytes, nowMs))
  const files = [...publication.files].map(([name, bytes]): TargetRow => ({ digest: hexDigest(bytes), name, bytes }))
  return database.transaction(async (transaction) => {
    const sql = transaction.withTables<TrustTables>()
    const newest = await newestRows(sql)
    if (rows.some(({ role, version }) => version !== (newest.get(role as TufRole)?.version ?? 0) + 1)) return false
    for (const file of files) {
      await sql
        .insertInto('trust_targets')
        .values(file)
        .onConflict((conflict) => conflict.columns(['digest', 'name']).doNothing())
        .execute()
    }
    for (const row of rows) await sql.insertInto('trust_metadata').values(row).execute()
    await also(sql)
    return true
  })
}

/** Metadata as it is kept: role, version and end are its own. */
export function metadataRow(bytes: Uint8Array, nowMs: number): MetadataRow {
  const { role, version, expiresMs } = parseTufMetadata(bytes)
  return { role, version, bytes, signed_at: nowMs, expires_at: expiresMs }
}

/**
 * When this installation signed metadata last, Unix milliseconds; 0 before the first. Renewed every day: a clock that is before it was set back
 * while no process ran to notice.
 */
export async function lastSignedMs(database: Database): Promise<number> {
  const sql = database.sql.withTables<TrustTables>()
  const row = await sql.selectFrom('trust_metadata').select('signed_at').orderBy('signed_at', 'desc').limit(1).executeTakeFirst()
  return row?.signed_at ?? 0
}

/** SHA-256, hex. */
export function hexDigest(bytes: Uint8Array): string {
  return Buffer.from(hashBytes('sha256', bytes)).toString('hex')
}

function damaged(detail: string, cause?: unknown): CountersignError {
  return new CountersignError('trust_damaged', `the TUF repository is damaged: ${detail}`, {
    cause,
    hint: 'Restore the database from a backup; never start a new repository under the same address.',
  })
}
