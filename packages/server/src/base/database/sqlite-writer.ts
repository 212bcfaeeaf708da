/**
 * Takes turns at the one writing connection of a SQLite file: first come, first served, a transaction alone, single statements together.
 *
 * A commit costs one sync of the disk, whoever shares it: statements that wait behind one another are committed by one transaction, each
 * failing or succeeding by itself.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { CountersignError } from '@countersign/core/failure'
import type { SqliteConnection } from './sqlite-connection.ts'

/** The turns. */
export type SqliteWriter = {
  /** Runs synchronous work in a transaction that it may share with others'; durable when it resolves. */
  readonly together: <T>(work: () => T) => Promise<T>
  /** Resolves when a transaction has begun that is the caller's alone, until the caller has ended it and called what it got. */
  readonly alone: () => Promise<() => void>
}

/** Work for a shared transaction and how its promise ends, or who waits for one alone. */
type Turn = {
  readonly deadline: number
  readonly kind: 'together' | 'alone'
  /** Runs the work, or hands the transaction over; the promise resolves when the next turn may come. */
  readonly run: () => Promise<void> | void
  readonly settle: (failure: unknown) => void
}

// So many statements share one commit at most: the first must not wait for the last.
const largestGroup = 256

/** Turns at a connection that nothing else uses. Who has no turn within `busyMs`, be it for this process or for another, fails with `database_busy`. */
export function sqliteWriter(connection: SqliteConnection, busyMs: number): SqliteWriter {
  const queue = turnQueue(busyMs, async (first, following) => {
    const group = first.kind === 'alone' ? [first] : [first, ...following(largestGroup - 1)]
    try {
      await begin(connection, first.deadline)
    } catch (thrown) {
      for (const turn of group) turn.settle(thrown)
      return
    }
    if (first.kind === 'alone') await first.run()
    else commitTogether(connection, group)
  })
  return {
    together: (work) =>
      new Promise((resolve, reject) => {
        let outcome: { readonly value: ReturnType<typeof work> } | { readonly thrown: unknown } | undefined
        const run = () => {
          try {
            outcome = { value: work() }
          } catch (thrown) {
            outcome = { thrown }
          }
        }
        const settle = (failure: unknown) => {
          if (failure === undefined && outcome !== undefined && 'value' in outcome) resolve(outcome.value)
          else reject(outcome !== undefined && 'thrown' in outcome ? outcome.thrown : failure)
        }
        queue('together', run, settle)
      }),
    alone: () =>
      new Promise((resolve, reject) => {
        queue('alone', () => new Promise<void>((done) => resolve(done)), reject)
      }),
  }
}

type Enqueue = (kind: Turn['kind'], run: Turn['run'], settle: Turn['settle']) => void

/** The queue: one turn after the other, `serve` may take those of its kind that follow. */
function turnQueue(busyMs: number, serve: (first: Turn, following: (limit: number) => readonly Turn[]) => Promise<void>): Enqueue {
  const waiting: Turn[] = []
  let pumping = false
  let timer: NodeJS.Timeout | undefined
  // First come, first served: the first is the first whose time is up.
  const giveUp = () => {
    timer = undefined
    const now = performance.now()
    while (waiting[0] !== undefined && waiting[0].deadline <= now) {
      waiting.shift()?.settle(new CountersignError('database_busy', `no turn to write to the database within ${busyMs} ms`))
    }
    if (waiting[0] !== undefined) timer = setTimeout(giveUp, waiting[0].deadline - now)
  }
  const following = (limit: number) => {
    const end = waiting.findIndex(({ kind }) => kind !== 'together')
    return waiting.splice(0, Math.min(limit, end === -1 ? waiting.length : end))
  }
  const pump = async () => {
    for (let first = waiting.shift(); first !== undefined; first = waiting.shift()) {
      await serve(first, following)
      // Whoever was just answered may be back with the next statement before anything else has had a chance.
      await nextTurn()
    }
    pumping = false
    clearTimeout(timer)
    timer = undefined
  }
  return (kind, run, settle) => {
    waiting.push({ deadline: performance.now() + busyMs, kind, run, settle })
    timer ??= setTimeout(giveUp, busyMs)
    if (pumping) return
    pumping = true
    // Others that come in this tick share the commit.
    setImmediate(() => void pump())
  }
}

/** Another process may be writing. SQLite's own waiting would stop this whole process meanwhile. */
async function begin(connection: SqliteConnection, deadline: number): Promise<void> {
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, 16)) {
    try {
      connection.command('begin immediate')
      return
    } catch (thrown) {
      const busy = thrown instanceof CountersignError && thrown.code === 'database_busy'
      if (!busy || performance.now() > deadline) throw thrown
      await sleep(pauseMs)
    }
  }
}

function commitTogether(connection: SqliteConnection, group: readonly Turn[]): void {
  let failure: unknown
  for (const turn of group) {
    void turn.run()
    if (!connection.inTransaction()) {
      // A full or failing disk makes SQLite roll back everything, not this statement alone.
      failure = new CountersignError('database_failed', 'a statement that shared the transaction had it rolled back')
      break
    }
  }
  if (failure === undefined) failure = commit(connection)
  for (const turn of group) turn.settle(failure)
}

/** Commits; what went wrong instead, after having rolled back. */
export function commit(connection: SqliteConnection): unknown {
  try {
    connection.command('commit')
    return undefined
  } catch (thrown) {
    rollback(connection)
    return thrown
  }
}

/** Ends a transaction, if one is left, without a trace. What cannot even be rolled back leaves no transaction either: SQLite has given it up. */
export function rollback(connection: SqliteConnection): void {
  if (!connection.inTransaction()) return
  try {
    connection.command('rollback')
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown
  }
}
