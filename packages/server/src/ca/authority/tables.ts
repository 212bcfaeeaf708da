/** Which authorities there are, in the database. */
import { CountersignError } from '@countersign/core/failure'
import type { Clock } from '../../base/clock.ts'
import type { Database, Migration } from '../../base/database/database.ts'

/**
 * `pending`: asked for, its certificate is not here yet. `standby`: has its certificate and may be in the trust root already. `active`: issues; of
 * intermediates there is at most one. `retired`: issues no more; what it issued stays valid.
 */
export type AuthorityStatus = 'pending' | 'standby' | 'active' | 'retired'

/** One authority on record. */
export type AuthorityRow = {
  /** The name of its key: `ca-root`, `ca-intermediate-2`. */
  readonly name: string
  readonly role: 'root' | 'intermediate'
  readonly status: AuthorityStatus
  /** PEM, its own certificate first, its root last; empty while pending. */
  readonly chain: string
  /** Unix milliseconds. */
  readonly createdAt: number
}

/** The schema of this room. */
export const authorityMigrations: readonly Migration[] = [
  {
    name: 'ca-0001-authorities',
    up: async (sql, types) => {
      await sql.schema
        .createTable('ca_authorities')
        .addColumn('name', types.text, (column) => column.primaryKey())
        .addColumn('role', types.text, (column) => column.notNull())
        .addColumn('status', types.text, (column) => column.notNull())
        .addColumn('chain', types.text, (column) => column.notNull())
        .addColumn('created_at', types.integer, (column) => column.notNull())
        .execute()
    },
  },
]

type Columns = { name: string; role: string; status: string; chain: string; created_at: number }

/** The table, read and changed. */
export type AuthorityTable = {
  readonly list: () => Promise<readonly AuthorityRow[]>
  readonly add: (row: Omit<AuthorityRow, 'createdAt'>) => Promise<void>
  /** Gives a pending authority its chain; it is on standby then. */
  readonly complete: (name: string, chain: string) => Promise<void>
  /** Makes one intermediate the one that issues and retires the one before, in one step. Throws `authority_missing`. */
  readonly activate: (name: string) => Promise<void>
}

/** The table of a database. */
export function authorityTable(database: Database, now: Clock): AuthorityTable {
  return {
    list: async () => {
      const rows = await database.raw.query<Columns>(
        'select name, role, status, chain, created_at from ca_authorities order by created_at, name',
      )
      return rows.map(readRow)
    },
    add: async ({ name, role, status, chain }) => {
      await database.raw.insert('ca_authorities', ['name', 'role', 'status', 'chain', 'created_at'], [[name, role, status, chain, now()]])
    },
    complete: async (name, chain) => {
      const changed = await database.raw.run(
        "update ca_authorities set status = 'standby', chain = ? where name = ? and status = 'pending'",
        [chain, name],
      )
      if (changed !== 1) throw missing(name, 'pending')
    },
    activate: async (name) => {
      await database.transaction(async (_, raw) => {
        await raw.run("update ca_authorities set status = 'retired' where role = 'intermediate' and status = 'active' and name <> ?", [
          name,
        ])
        const changed = await raw.run(
          "update ca_authorities set status = 'active' where name = ? and role = 'intermediate' and status in ('standby', 'active')",
          [name],
        )
        if (changed !== 1) throw missing(name, 'on standby')
      })
    },
  }
}

const statuses: ReadonlySet<string> = new Set<AuthorityStatus>(['pending', 'standby', 'active', 'retired'])

function readRow({ name, role, status, chain, created_at: createdAt }: Columns): AuthorityRow {
  if ((role !== 'root' && role !== 'intermediate') || !statuses.has(status)) {
    throw new CountersignError('authority_damaged', `the record of the authority ${name} is not one that was written`)
  }
  return { name, role, status: status as AuthorityStatus, chain, createdAt }
}

function missing(name: string, status: string): CountersignError {
  return new CountersignError('authority_missing', `there is no intermediate authority ${name} that is ${status}`, {
    hint: 'List the authorities with countersign ca list.',
  })
}
