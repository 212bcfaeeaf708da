/** Proposals that wait for signatures of keys which are not here: their rows. */
import { base64ToBytes, bytesToBase64 } from '@countersign/core/base64'
import { equalBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { JsonObject } from '@countersign/core/json/parse'
import type { TufMetadata } from '@countersign/core/tuf/model'
import { parseTufMetadata } from '@countersign/core/tuf/read'
import type { Transaction } from 'kysely'
import type { Database } from '../../base/database/database.ts'
import type { ProposalRow, TrustTables } from '../tables.ts'

/** Roles that may be signed elsewhere. */
export type ProposedRole = 'root' | 'targets'

/** A proposal with the signatures that it has so far. */
export type Proposal = {
  readonly role: ProposedRole
  /** The metadata file: what travels to the holders of keys and back. */
  readonly bytes: Uint8Array
  readonly metadata: TufMetadata
  /** Files that the proposed targets name. */
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly createdMs: number
}

/** The proposal of a role; `undefined` when none waits. */
export async function readProposal(database: Database, role: ProposedRole): Promise<Proposal | undefined> {
  const sql = database.sql.withTables<TrustTables>()
  const row = await sql.selectFrom('trust_proposals').selectAll().where('role', '=', role).executeTakeFirst()
  if (row === undefined) return undefined
  const bytes = new Uint8Array(row.bytes)
  const files = Object.entries(JSON.parse(row.files) as Record<string, string>).map(([name, text]) => [name, base64ToBytes(text)] as const)
  return { role, bytes, metadata: parseTufMetadata(bytes), files: new Map(files), createdMs: row.created_at }
}

/** Keeps a proposal. Throws `trust_proposal_exists` when one of its role waits already: its signatures would be lost. */
export async function createProposal(database: Database, { role, bytes, files, createdMs }: Omit<Proposal, 'metadata'>): Promise<void> {
  const { version } = parseTufMetadata(bytes)
  const texts = Object.fromEntries([...files].map(([name, content]) => [name, bytesToBase64(content)]))
  const row: ProposalRow = { role, version, bytes, files: JSON.stringify(texts), created_at: createdMs }
  const created = await database.transaction(async (transaction) => {
    const sql = transaction.withTables<TrustTables>()
    const there = await sql.selectFrom('trust_proposals').select('version').where('role', '=', role).executeTakeFirst()
    if (there === undefined) await sql.insertInto('trust_proposals').values(row).execute()
    return there === undefined
  })
  if (created) return
  throw new CountersignError('trust_proposal_exists', `a proposal for the role ${role} waits for its signatures already`, {
    hint: 'Publish it, or withdraw it first.',
  })
}

/** Replaces the file of a proposal, unless another process changed it meanwhile: `false` then. */
export async function replaceProposal(database: Database, proposal: Proposal, bytes: Uint8Array): Promise<boolean> {
  return database.transaction(async (transaction) => {
    const sql = transaction.withTables<TrustTables>()
    const row = await sql.selectFrom('trust_proposals').select('bytes').where('role', '=', proposal.role).executeTakeFirst()
    if (row === undefined || !equalBytes(new Uint8Array(row.bytes), proposal.bytes)) return false
    await sql.updateTable('trust_proposals').set({ bytes }).where('role', '=', proposal.role).execute()
    return true
  })
}

/** Removes proposals, inside the transaction that publishes them. */
export async function dropProposals(sql: Transaction<TrustTables>, roles: readonly ProposedRole[]): Promise<void> {
  if (roles.length > 0)
    await sql
      .deleteFrom('trust_proposals')
      .where('role', 'in', [...roles])
      .execute()
}

/** The failure where a proposal should wait and none does. */
export function noProposal(role: ProposedRole): CountersignError {
  return new CountersignError('trust_proposal_missing', `no proposal for the role ${role} waits for signatures`, {
    hint: 'Propose one first.',
  })
}

/** The part that is signed, for comparison. */
export function contentText(content: JsonObject): string {
  return JSON.stringify(content)
}
