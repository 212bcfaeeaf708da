/** A record of the audit log, and the hash that chains it to the one before. */
import { concatBytes, utf8 } from '@countersign/core/bytes'
import { canonicalJson } from '@countersign/core/json/canonical'
import { hashBytes } from '../crypto/primitives.ts'
import type { Migration } from '../database/database.ts'
import type { AuditEvent } from './audit.ts'

/** An event with its place in the log. */
export type AuditRecord = AuditEvent & {
  /** From 1, without a gap. */
  readonly sequence: number
  /** 20 characters: time and chance, in Crockford's base 32; sorts by time to the millisecond. */
  readonly id: string
  /** Unix milliseconds. */
  readonly at: number
}

/** Where the log stands: what to keep elsewhere, so that a log which was cut off behind it shows. */
export type AuditHead = { readonly sequence: number; readonly hash: Uint8Array }

/** Before the first record. */
export const emptyAudit: AuditHead = { sequence: 0, hash: new Uint8Array(32) }

/** The tables of the audit log. */
export const auditMigrations: readonly Migration[] = [
  {
    name: 'audit-0001-records',
    up: async (sql, types) => {
      await sql.schema
        .createTable('audit_records')
        .addColumn('sequence', types.integer, (column) => column.primaryKey())
        .addColumn('id', types.text, (column) => column.notNull().unique())
        .addColumn('at', types.integer, (column) => column.notNull())
        .addColumn('action', types.text, (column) => column.notNull())
        .addColumn('actor', types.text, (column) => column.notNull())
        .addColumn('subject', types.text, (column) => column.notNull())
        .addColumn('origin', types.text, (column) => column.notNull())
        .addColumn('outcome', types.text, (column) => column.notNull())
        .addColumn('detail', types.text, (column) => column.notNull())
        .addColumn('hash', types.bytes, (column) => column.notNull())
        .addColumn('signature', types.bytes)
        .execute()
      await sql.schema.createIndex('audit_records_actor').on('audit_records').columns(['actor', 'sequence']).execute()
      await sql.schema.createIndex('audit_records_subject').on('audit_records').columns(['subject', 'sequence']).execute()
    },
  },
]

/** A row of `audit_records`. `hash` is 32 bytes; `signature` is there on the last record of each group that was written together. */
export type AuditRow = {
  readonly sequence: number
  readonly id: string
  readonly at: number
  readonly action: string
  readonly actor: string
  readonly subject: string
  readonly origin: string
  readonly outcome: string
  readonly detail: string
  readonly hash: Uint8Array
  readonly signature: Uint8Array | null
}

/** The columns, in the order of {@link AuditRow}. */
export const auditColumns = [
  'sequence',
  'id',
  'at',
  'action',
  'actor',
  'subject',
  'origin',
  'outcome',
  'detail',
  'hash',
  'signature',
] as const

const hashContext = utf8('countersign audit record v1\n')
const headContext = utf8('countersign audit head v1\n')

/** SHA-256 of the hash before and the canonical JSON (RFC 8785) of every other column, so that none can change, move or go unseen. */
export function auditHash(previous: Uint8Array, { hash: _hash, signature: _signature, ...columns }: AuditRow): Uint8Array {
  return hashBytes('sha256', concatBytes(hashContext, previous, canonicalJson(columns)))
}

/** What the key of the audit log signs: how many records there are, and the hash of the last. */
export function auditHeadMessage({ sequence, hash }: AuditHead): Uint8Array {
  return concatBytes(headContext, utf8(`${sequence}\n`), hash)
}
