/** Leases as rows of the database: one statement takes, renews or refuses. */
import type { Clock } from '../clock.ts'
import type { Database, Migration } from '../database/database.ts'
import type { Lease, Leases } from './lease.ts'

/** The table of leases. */
export const leaseMigrations: readonly Migration[] = [
  {
    name: 'leases-0001-table',
    up: async (sql, types) => {
      await sql.schema
        .createTable('leases')
        .addColumn('name', types.text, (column) => column.primaryKey())
        .addColumn('holder', types.text, (column) => column.notNull())
        .addColumn('fence', types.integer, (column) => column.notNull())
        .addColumn('expires_at', types.integer, (column) => column.notNull())
        .execute()
    },
  },
]

/**
 * Leases of one holder: a name that no other process has, nor this one after a restart. Who is first after the expiry gets the lease, with a
 * fence that is greater than every one before; a renewal keeps the fence.
 *
 * Expiry is judged by the database's clock on PostgreSQL, where the processes may be on several machines, and by `clock` on SQLite. `expiresAt`
 * is in `clock`'s time and never later than what the database holds.
 */
export function databaseLeases(database: Database, clock: Clock, holder: string): Leases {
  const now = database.kind === 'postgres' ? '(extract(epoch from clock_timestamp()) * 1000)::bigint' : 'cast(? as integer)'
  const time = (at: number) => (database.kind === 'postgres' ? [] : [at])
  return {
    take: async (name, durationMs): Promise<Lease | undefined> => {
      const asked = clock()
      const [row] = await database.raw.query<{ fence: number }>(
        `insert into leases as held (name, holder, fence, expires_at) values (?, ?, 1, ${now} + cast(? as bigint))
         on conflict (name) do update set
           fence = case when held.holder = excluded.holder then held.fence else held.fence + 1 end,
           holder = excluded.holder, expires_at = excluded.expires_at
         where held.holder = excluded.holder or held.expires_at <= ${now}
         returning fence`,
        [name, holder, ...time(asked), durationMs, ...time(asked)],
      )
      return row === undefined ? undefined : { name, fence: row.fence, expiresAt: asked + durationMs }
    },
    release: async ({ name, fence }) => {
      // No holder is called nothing, so that the next one gets a new fence, were it the same process.
      await database.raw.run(`update leases set holder = '', expires_at = 0 where name = ? and holder = ? and fence = ?`, [
        name,
        holder,
        fence,
      ])
    },
  }
}
