/** What an operator said of the clock of a machine: how the command line tells a server that runs. */
import type { Clock } from '../../base/clock.ts'
import type { Database, Migration } from '../../base/database/database.ts'

/** The table of confirmations: the last one of each machine. */
export const clockMigrations: readonly Migration[] = [
  {
    name: 'tsa-0001-clock-confirmations',
    up: async (database, types) => {
      await database.schema
        .createTable('clock_confirmations')
        .addColumn('machine', types.text, (column) => column.primaryKey())
        .addColumn('number', types.integer, (column) => column.notNull())
        .addColumn('wall_ms', types.integer, (column) => column.notNull())
        .execute()
    },
  },
]

/** Says that the clock of this machine is right at this moment. */
export async function recordConfirmation({ raw }: Database, machine: string, wallMs: number): Promise<void> {
  await raw.query(
    `insert into clock_confirmations as held (machine, number, wall_ms) values (?, 1, ?)
     on conflict (machine) do update set number = held.number + 1, wall_ms = excluded.wall_ms returning number`,
    [machine, wallMs],
  )
}

/** A confirmation counts for as long as it takes to notice it: a clock that changes afterwards is another matter. */
const countsMs = 10_000

/**
 * Gives a function to be called often: it calls `confirm` once for each confirmation of this machine that came after the first call. What was said
 * before is about a clock of before.
 */
export function followConfirmations({ raw }: Database, machine: string, wall: Clock, confirm: () => void): () => Promise<void> {
  let seen: number | undefined
  return async () => {
    const [row] = await raw.query<{ number: number; wall_ms: number }>(
      'select number, wall_ms from clock_confirmations where machine = ?',
      [machine],
    )
    const number = row?.number ?? 0
    const isNew = seen !== undefined && number > seen
    seen = number
    if (isNew && row !== undefined && Math.abs(wall() - row.wall_ms) <= countsMs) confirm()
  }
}
