/** The tables of this room: every instance that was ever trusted, and the TUF repository that says so. */
import type { Migration } from '../base/database/database.ts'

/** Rows of `trust_instances`. Never deleted: what was signed under an instance stays verifiable. */
export type InstanceRow = {
  readonly id: string
  readonly role: string
  readonly url: string
  readonly operator: string
  /** SubjectPublicKeyInfo of a log. */
  readonly spki: Uint8Array | null
  /** Certificates of an authority, PEM. */
  readonly chain: string | null
  readonly starts_at: number
  readonly ends_at: number | null
  /** From when it signs; null: as soon as clients are told of it. */
  readonly signs_at: number | null
}

/** Rows of `trust_metadata`: what was published. The primary key is the compare-and-swap: of two processes, one writes a version. */
export type MetadataRow = {
  readonly role: string
  readonly version: number
  readonly bytes: Uint8Array
  readonly signed_at: number
  readonly expires_at: number
}

/** Rows of `trust_targets`: files by digest and name, for as long as any metadata may name them. */
export type TargetRow = { readonly digest: string; readonly name: string; readonly bytes: Uint8Array }

/** Rows of `trust_proposals`: at most one of a role waits for its signatures. */
export type ProposalRow = {
  readonly role: string
  readonly version: number
  readonly bytes: Uint8Array
  /** Files that the targets of the proposal name, JSON: name to base64. */
  readonly files: string
  readonly created_at: number
}

/** All of them. */
export type TrustTables = {
  readonly trust_instances: InstanceRow
  readonly trust_metadata: MetadataRow
  readonly trust_targets: TargetRow
  readonly trust_proposals: ProposalRow
}

/** The schema. */
export const trustMigrations: readonly Migration[] = [
  {
    name: 'trust-0001-tables',
    up: async (sql, types) => {
      await sql.schema
        .createTable('trust_instances')
        .addColumn('id', types.text, (column) => column.primaryKey())
        .addColumn('role', types.text, (column) => column.notNull())
        .addColumn('url', types.text, (column) => column.notNull())
        .addColumn('operator', types.text, (column) => column.notNull())
        .addColumn('spki', types.bytes)
        .addColumn('chain', types.text)
        .addColumn('starts_at', types.integer, (column) => column.notNull())
        .addColumn('ends_at', types.integer)
        .execute()
      await sql.schema
        .createTable('trust_metadata')
        .addColumn('role', types.text, (column) => column.notNull())
        .addColumn('version', types.integer, (column) => column.notNull())
        .addColumn('bytes', types.bytes, (column) => column.notNull())
        .addColumn('signed_at', types.integer, (column) => column.notNull())
        .addColumn('expires_at', types.integer, (column) => column.notNull())
        .addPrimaryKeyConstraint('trust_metadata_versions', ['role', 'version'])
        .execute()
      await sql.schema
        .createTable('trust_targets')
        .addColumn('digest', types.text, (column) => column.notNull())
        .addColumn('name', types.text, (column) => column.notNull())
        .addColumn('bytes', types.bytes, (column) => column.notNull())
        .addPrimaryKeyConstraint('trust_targets_names', ['digest', 'name'])
        .execute()
      await sql.schema
        .createTable('trust_proposals')
        .addColumn('role', types.text, (column) => column.primaryKey())
        .addColumn('version', types.integer, (column) => column.notNull())
        .addColumn('bytes', types.bytes, (column) => column.notNull())
        .addColumn('files', types.text, (column) => column.notNull())
        .addColumn('created_at', types.integer, (column) => column.notNull())
        .execute()
    },
  },
  {
    name: 'trust-0002-planned',
    up: async (sql, types) => {
      await sql.schema.alterTable('trust_instances').addColumn('signs_at', types.integer).execute()
    },
  },
]
