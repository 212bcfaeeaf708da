/** The loop of the one process that decides what is in a tree: a batch begins as soon as the one before is published. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError } from '@countersign/core/failure'
import type { Clock } from '../../base/clock.ts'
import type { Leases } from '../../base/leases/lease.ts'
import { integrateBatch, recoverTree, type Integrated, type Sequenced, type Workshop } from './integrate.ts'
import { holdLease, type HeldLease } from './lease-holder.ts'
import type { Pending, PendingQueue } from './pending.ts'
import type { SharedQueue } from './shared-queue.ts'
import { maxBatchEntries } from './tree-store.ts'

/** A batch of the longest entries is no larger than this. */
const maxBatchBytes = 16 * 1024 * 1024
/** How often entries of other processes are looked for. */
const sharedPollMs = 25
const idleMs = 1_000
const firstRetryMs = 100
const maxRetryMs = 5_000
const sweepEveryMs = 60_000

/** What the loop needs. */
export type SequencerOptions = {
  readonly workshop: Workshop
  readonly queue: PendingQueue
  /** Entries of other processes; `undefined` where there is one process. */
  readonly shared: SharedQueue | undefined
  readonly leases: Leases
  readonly clock: Clock
  /** Step 5: tells those who wait. */
  readonly answer: (integrated: Integrated) => Promise<void>
  /** Called with every tree that was published, by a batch or by recovery. */
  readonly published: (tree: Sequenced) => void
  /** What went wrong, for the log of the process. */
  readonly failed: (failure: unknown) => void
}

/** A running loop. */
export type Sequencer = {
  /** The tree, while this process sequences it. */
  readonly tree: () => Sequenced | undefined
  /** Why this process does not sequence although it may, or why it never will again; `undefined` when all is well. */
  readonly failure: () => unknown
  /** Ends after the batch at hand, fails what waits, gives the lease back. */
  readonly close: () => Promise<void>
}

/** Starts the loop. */
export function startSequencer(options: SequencerOptions): Sequencer {
  const now: { tree: Sequenced | undefined; failure: unknown; retryMs: number; sweptAt: number } = {
    tree: undefined,
    failure: undefined,
    retryMs: firstRetryMs,
    sweptAt: 0,
  }
  const { signal, stop } = stopSignal()
  const pause = async (ms: number): Promise<void> => {
    await sleep(ms, undefined, { signal }).catch(() => undefined)
  }
  // Before the answers: who was answered may ask for the checkpoint at once.
  const advance = (next: Sequenced): void => {
    now.tree = next
    options.published(next)
  }
  const work = async (lease: HeldLease): Promise<void> => {
    advance(await recoverTree(options.workshop))
    now.failure = undefined
    now.retryMs = firstRetryMs
    while (now.tree !== undefined && !signal.aborted && lease.held()) {
      const batch = await nextBatch(options)
      if (batch.length > 0) await integrateOrFail(options, now.tree, batch, advance)
      if (options.shared !== undefined && options.clock() - now.sweptAt > sweepEveryMs) {
        now.sweptAt = options.clock()
        await options.shared.sweep()
      }
    }
  }
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      let lease: HeldLease | undefined
      try {
        lease = await holdLease(options.leases, `log/${options.workshop.name}`, options.clock)
        if (lease === undefined) {
          if (options.shared === undefined) now.failure = refuseAll(options.queue, 'another process keeps this log')
          await pause(sharedPollMs * 10)
          continue
        }
        await work(lease)
        // What waits here waits for a sequencer that is elsewhere now; senders ask again, and then it goes there.
        if (options.shared !== undefined) refuseAll(options.queue, 'another process has taken over this log')
      } catch (thrown) {
        now.failure = thrown
        options.failed(thrown)
        options.queue.failAll(unavailable(thrown))
        // A contradiction with what was signed is not cured by trying again: a person must look.
        if (isInconsistent(thrown)) return
      } finally {
        now.tree = undefined
        await lease?.end().catch(options.failed)
      }
      if (!signal.aborted) await pause(now.retryMs)
      now.retryMs = Math.min(maxRetryMs, now.retryMs * 2)
    }
  }
  const running = run()
  return {
    tree: () => now.tree,
    failure: () => now.failure,
    close: async () => {
      stop()
      options.queue.wake()
      await running
      options.queue.failAll(new CountersignError('log_unavailable', 'the server stops'))
    },
  }
}

function stopSignal(): { readonly signal: AbortSignal; readonly stop: () => void } {
  const controller = new AbortController()
  return { signal: controller.signal, stop: () => controller.abort() }
}

async function nextBatch(options: SequencerOptions): Promise<readonly Pending[]> {
  const { queue, shared } = options
  await queue.arrival(shared === undefined ? idleMs : sharedPollMs)
  const own = queue.take(maxBatchEntries, maxBatchBytes)
  if (shared === undefined || own.length === maxBatchEntries) return own
  const known = new Set(own.map(({ key }) => key))
  // What another process was asked for at the same time is a duplicate, which the next batch finds.
  const others = (await othersOf(options, shared, own)).filter(({ key }) => !known.has(key))
  return [...own, ...others]
}

async function othersOf({ queue }: SequencerOptions, shared: SharedQueue, own: readonly Pending[]): Promise<readonly Pending[]> {
  try {
    return await shared.waiting(maxBatchEntries - own.length)
  } catch (failure) {
    for (const pending of own) queue.fail(pending, unavailable(failure))
    throw failure
  }
}

async function integrateOrFail(
  options: SequencerOptions,
  tree: Sequenced,
  batch: readonly Pending[],
  advance: (next: Sequenced) => void,
): Promise<void> {
  const { workshop, queue } = options
  try {
    const integrated = await integrateBatch(workshop, tree, batch)
    // 5. Answers leave. A crash before it leaves entries whose senders ask again, and are told that they are there.
    await workshop.step?.('before answer')
    advance(integrated.tree)
    await options.answer(integrated)
  } catch (thrown) {
    const told = thrown instanceof CountersignError && thrown.code === 'log_frozen' ? thrown : unavailable(thrown)
    for (const pending of batch) queue.fail(pending, told)
    throw thrown
  }
}

function isInconsistent(thrown: unknown): boolean {
  return thrown instanceof CountersignError && thrown.code === 'log_inconsistent'
}

function refuseAll(queue: PendingQueue, detail: string): CountersignError {
  const failure = new CountersignError('log_unavailable', detail, { hint: 'Try again in a few seconds.' })
  queue.failAll(failure)
  return failure
}

/** Whoever waits learns that nothing is known of the entry: it may be in the log. */
function unavailable(cause: unknown): CountersignError {
  return new CountersignError('log_unavailable', 'the log cannot take entries now', { cause, hint: 'Try again in a few seconds.' })
}
