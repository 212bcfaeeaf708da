/** Entries that one process takes and another sequences: rows of a table, for processes that share a PostgreSQL database. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError } from '@countersign/core/failure'
import type { Clock } from '../../base/clock.ts'
import type { Database, SqlValue } from '../../base/database/database.ts'
import type { NewEntry } from '../tree-log.ts'
import { overloaded, type Pending } from './pending.ts'
import { identityKey } from './tree-store.ts'

/** An entry that the sequencer took; it is under the published checkpoint once that is larger than its index. */
export type Sequencing = { readonly index: number; readonly duplicate: boolean }

/** Both ends of the queue. */
export type SharedQueue = {
  /** Puts an entry there and waits until a sequencer has decided it. Rejects with `log_overloaded` at once when too many wait, `log_unavailable` after the time. */
  readonly submit: (entry: NewEntry, timeoutMs: number) => Promise<Sequencing>
  /** What waits for the sequencer, oldest first; rows stay until they are answered. */
  readonly waiting: (maxEntries: number) => Promise<readonly Pending[]>
  /** Removes rows whose process has gone without fetching its answer. */
  readonly sweep: () => Promise<void>
  /** Entries of this process that wait. */
  readonly outstanding: () => number
}

const pollMs = 20
const abandonedMs = 5 * 60 * 1000
/** Answers that one query asks for. */
const lookedUpAtOnce = 256

/** The queue of one tree. */
export function sharedQueue(database: Database, tree: number, clock: Clock, maxOutstanding: number): SharedQueue {
  const answers = answerPoll(database)
  let outstanding = 0
  return {
    submit: async (entry, timeoutMs) => {
      if (outstanding >= maxOutstanding) throw overloaded(maxOutstanding)
      outstanding++
      try {
        return await submit({ database, tree, answers, timeoutMs }, entry, clock())
      } finally {
        outstanding--
      }
    },
    waiting: async (maxEntries) => {
      const rows = await database.raw.query<Record<string, SqlValue>>(
        'select * from log_queue where tree = ? and idx is null order by queued_at, id limit ?',
        [tree, maxEntries],
      )
      const seen = new Set<string>()
      // The second of two equal entries is answered as a duplicate by the next batch.
      return rows.map(pendingOf).filter(({ key }) => seen.size !== seen.add(key).size)
    },
    outstanding: () => outstanding,
    sweep: async () => {
      await database.raw.run('delete from log_queue where queued_at < ?', [clock() - abandonedMs])
    },
  }
}

type Submission = {
  readonly database: Database
  readonly tree: number
  readonly answers: ReturnType<typeof answerPoll>
  readonly timeoutMs: number
}

async function submit({ database, tree, answers, timeoutMs }: Submission, entry: NewEntry, queuedAt: number): Promise<Sequencing> {
  const id = randomUUID()
  const { numbered } = entry
  const columns = ['id', 'tree', 'queued_at', 'data', 'leaf', 'identity', 'number_offset', 'number_prefix', 'number_bytes']
  const number = [numbered?.offset ?? null, numbered?.leafPrefix ?? null, numbered?.leafBytes ?? null]
  await database.raw.insert('log_queue', columns, [[id, tree, queuedAt, entry.data, entry.leafHash, entry.identity, ...number]])
  const answer = await answers(id, timeoutMs)
  // An unanswered row is taken back, unless it is answered this moment: then it is swept later.
  const text = answer === undefined ? 'delete from log_queue where id = ? and idx is null' : 'delete from log_queue where id = ?'
  await database.raw.run(text, [id])
  if (answer === undefined)
    throw new CountersignError('log_unavailable', 'no process sequences this log', { hint: 'Try again in a few seconds.' })
  return answer
}

function pendingOf(row: Readonly<Record<string, SqlValue>>): Pending {
  const identity = row.identity as Uint8Array
  const numbered = {
    offset: row.number_offset as number,
    leafPrefix: row.number_prefix as Uint8Array,
    leafBytes: row.number_bytes as number,
  }
  const entry: NewEntry = {
    data: row.data as Uint8Array,
    leafHash: row.leaf as Uint8Array,
    identity,
    ...(row.number_offset === null ? {} : { numbered }),
  }
  return { entry, key: identityKey(identity), queueId: row.id as string, waiting: [] }
}

type Waiter = {
  readonly deadline: number
  readonly resolve: (answer: Sequencing | undefined) => void
  readonly reject: (failure: unknown) => void
}

/** One query at a time for all that wait in this process. */
function answerPoll(database: Database): (id: string, timeoutMs: number) => Promise<Sequencing | undefined> {
  const waiters = new Map<string, Waiter>()
  let polling = false
  const look = async (): Promise<void> => {
    const ids = [...waiters.keys()].slice(0, lookedUpAtOnce)
    // One text for the statement, however many wait: no row has the identifier that it is filled up with.
    const marks = Array.from({ length: lookedUpAtOnce }, () => '?').join(', ')
    const filled = Array.from({ length: lookedUpAtOnce }, (_, i) => ids[i] ?? '')
    const rows = await database.raw.query<{ id: string; idx: number; duplicate: number }>(
      `select id, idx, duplicate from log_queue where idx is not null and id in (${marks})`,
      filled,
    )
    for (const { id, idx, duplicate } of rows) settle(id, { index: idx, duplicate: duplicate === 1 })
    for (const id of ids) {
      const waiter = waiters.get(id)
      if (waiter === undefined) continue
      if (waiter.deadline < performance.now()) settle(id, undefined)
      // To the end of the line: more may wait than one query asks for.
      else {
        waiters.delete(id)
        waiters.set(id, waiter)
      }
    }
  }
  const settle = (id: string, answer: Sequencing | undefined): void => {
    waiters.get(id)?.resolve(answer)
    waiters.delete(id)
  }
  const failLate = (failure: unknown): void => {
    for (const [id, waiter] of waiters) {
      if (waiter.deadline >= performance.now()) continue
      waiter.reject(failure)
      waiters.delete(id)
    }
  }
  const poll = async (): Promise<void> => {
    polling = true
    while (waiters.size > 0) {
      await sleep(pollMs)
      // The database may be back in a moment; who has waited too long is told.
      await look().catch(failLate)
    }
    polling = false
  }
  return (id, timeoutMs) =>
    new Promise((resolve, reject) => {
      waiters.set(id, { deadline: performance.now() + timeoutMs, resolve, reject })
      if (!polling) void poll()
    })
}
