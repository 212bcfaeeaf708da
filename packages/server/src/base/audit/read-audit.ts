/** Reading the audit log, and proving that nothing in it was changed. */
import { bytesToHex } from '@countersign/core/bytes'
import { parseJson } from '@countersign/core/json/parse'
import type { Awaitable } from '@countersign/core/primitives'
import type { Database, SqlValue } from '../database/database.ts'
import { type AuditHead, type AuditRecord, type AuditRow, auditColumns, auditHash, auditHeadMessage, emptyAudit } from './audit-record.ts'
import type { AuditEvent } from './audit.ts'

/** Which records, newest first. Words compare as they are. */
export type AuditQuery = {
  /** Only records before this one: the `sequence` of the last one seen. */
  readonly before?: number
  readonly actor?: string
  readonly subject?: string
  readonly action?: string
  /** At most 1,000; default 100. */
  readonly limit?: number
}

const columns = auditColumns.join(', ')

/** A page of the log. */
export async function readAudit(database: Database, query: AuditQuery = {}): Promise<readonly AuditRecord[]> {
  const conditions: string[] = []
  const values: SqlValue[] = []
  const demand = (condition: string, value: SqlValue | undefined) => {
    if (value === undefined) return
    conditions.push(condition)
    values.push(value)
  }
  demand('sequence < ?', query.before)
  demand('actor = ?', query.actor)
  demand('subject = ?', query.subject)
  demand('action = ?', query.action)
  const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`
  const limit = Math.min(1_000, Math.max(1, query.limit ?? 100))
  const rows = await database.raw.query<AuditRow>(`select ${columns} from audit_records ${where} order by sequence desc limit ?`, [
    ...values,
    limit,
  ])
  return rows.map(recordOf)
}

/** The record with an identifier that somebody was shown; `undefined` if there is none. */
export async function findAuditRecord(database: Database, id: string): Promise<AuditRecord | undefined> {
  const [row] = await database.raw.query<AuditRow>(`select ${columns} from audit_records where id = ?`, [id])
  return row === undefined ? undefined : recordOf(row)
}

function recordOf(row: AuditRow): AuditRecord {
  const { sequence, id, at, action, actor, subject, origin } = row
  const outcome = row.outcome === 'done' ? 'done' : 'refused'
  return { sequence, id, at, action, actor, subject, from: origin, outcome, detail: parseJson(row.detail) as AuditEvent['detail'] }
}

/** What the walk through the log found. */
export type AuditVerification =
  | { readonly ok: true; readonly head: AuditHead }
  | { readonly ok: false; readonly code: 'audit_damaged'; readonly sequence: number; readonly detail: string }

/** What a walk relies on besides the chain itself. */
export type AuditAnchors = {
  /** Whether a signature of the log's key over a message holds; without it signatures are not looked at. */
  readonly verify?: (message: Uint8Array, signature: Uint8Array) => Awaitable<boolean>
  /** Heads that were kept elsewhere: the log must still go through each. */
  readonly heads?: readonly AuditHead[]
}

const pageSize = 1_000

/**
 * Walks the whole log and names the first record that is not as it was written, or where one is missing. That the newest records were cut
 * off shows by the heads that were kept elsewhere alone.
 */
export async function verifyAudit(database: Database, anchors: AuditAnchors = {}): Promise<AuditVerification> {
  const heads = new Map(anchors.heads?.map(({ sequence, hash }) => [sequence, bytesToHex(hash)]))
  let head = emptyAudit
  let signed = 0
  for (;;) {
    const text = `select ${columns} from audit_records where sequence > ? order by sequence limit ${pageSize}`
    const rows = await database.raw.query<AuditRow>(text, [head.sequence])
    for (const row of rows) {
      const detail = (await damageOf(row, head, anchors)) ?? contradiction(row, heads)
      if (detail !== undefined) return damaged(head.sequence + 1, detail)
      head = { sequence: row.sequence, hash: row.hash }
      if (row.signature !== null) signed = row.sequence
    }
    if (rows.length < pageSize) break
  }
  if (anchors.verify !== undefined && signed < head.sequence) return damaged(signed + 1, 'no signed record follows')
  for (const sequence of heads.keys())
    if (sequence > head.sequence) return damaged(head.sequence + 1, `the log once had ${sequence} records`)
  return { ok: true, head }
}

async function damageOf(row: AuditRow, before: AuditHead, { verify }: AuditAnchors): Promise<string | undefined> {
  if (row.sequence !== before.sequence + 1) return `the record is missing; the next one is ${row.sequence}`
  if (bytesToHex(auditHash(before.hash, row)) !== bytesToHex(row.hash)) return 'the record does not have the hash that the chain demands'
  if (row.signature === null || verify === undefined) return undefined
  return (await verify(auditHeadMessage(row), row.signature)) ? undefined : 'the signature over the record is not of the key of the log'
}

function contradiction(row: AuditRow, heads: ReadonlyMap<number, string>): string | undefined {
  const known = heads.get(row.sequence)
  return known === undefined || known === bytesToHex(row.hash) ? undefined : 'the record is another one than the log once had'
}

function damaged(sequence: number, detail: string): AuditVerification {
  return { ok: false, code: 'audit_damaged', sequence, detail }
}
