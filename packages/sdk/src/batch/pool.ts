/** One pool of workers for a whole run: tasks of different hosts take turns, no failure stops the others, and a run can be ended early. */

/** Why a task was not done. */
export type EarlyEnd = 'interrupted' | 'deadline'

/** What became of one task, and how long it took, milliseconds. */
export type Settled<Result> =
  | { readonly kind: 'done'; readonly value: Result; readonly durationMs: number }
  /** The task threw: its own failure. */
  | { readonly kind: 'failed'; readonly cause: unknown; readonly durationMs: number }
  | { readonly kind: 'not_reached'; readonly why: EarlyEnd }

/** How tasks are run. */
export type PoolOptions = {
  /** Tasks at the same time. */
  readonly workers: number
  /** Ends the run: what is under way is given up, what is left is not begun. The signal's reason is an {@link EarlyEnd}. */
  readonly signal?: AbortSignal
  /** Monotonic milliseconds. */
  readonly clock: () => number
}

/**
 * Runs one task for each index below `count`, and tells each outcome once, as it is known. Tasks of a lane begin in their order; the lane with
 * the fewest tasks under way is served first, so that a slow host holds up none but its own.
 */
export async function runPool<Result>(
  lanes: readonly string[],
  task: (index: number) => Promise<Result>,
  options: PoolOptions,
  settled: (index: number, outcome: Settled<Result>) => void,
): Promise<void> {
  const queue = createQueue(lanes)
  const { signal, clock } = options
  const worker = async (): Promise<void> => {
    for (let turn = queue.take(); turn !== undefined; turn = queue.take()) {
      const { index } = turn
      if (signal?.aborted === true) settled(index, { kind: 'not_reached', why: reasonOf(signal) })
      else
        settled(
          index,
          await untilEnd(
            attempt(() => task(index), clock),
            signal,
          ),
        )
      turn.done()
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(options.workers, lanes.length)) }, worker))
}

async function attempt<Result>(task: () => Promise<Result>, clock: () => number): Promise<Settled<Result>> {
  const began = clock()
  try {
    const value = await task()
    return { kind: 'done', value, durationMs: clock() - began }
  } catch (cause) {
    return { kind: 'failed', cause, durationMs: clock() - began }
  }
}

/** Not `Promise.race`: that would leave something behind on the signal for each of many tasks. */
function untilEnd<Result>(work: Promise<Settled<Result>>, signal: AbortSignal | undefined): Promise<Settled<Result>> {
  if (signal === undefined) return work
  return new Promise((resolve) => {
    const end = (): void => resolve({ kind: 'not_reached', why: reasonOf(signal) })
    // The task itself may have ended the run, before anybody listened.
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
    // An attempt never rejects.
    void work.then((outcome) => {
      signal.removeEventListener('abort', end)
      resolve(outcome)
    })
  })
}

function reasonOf(signal: AbortSignal): EarlyEnd {
  return signal.reason === 'deadline' ? 'deadline' : 'interrupted'
}

type Lane = { readonly waiting: number[]; next: number; active: number }
type Turn = { readonly index: number; readonly done: () => void }

function createQueue(names: readonly string[]): { readonly take: () => Turn | undefined } {
  const byName = new Map<string, Lane>()
  for (const [index, name] of names.entries()) {
    const lane = byName.get(name) ?? { waiting: [], next: 0, active: 0 }
    byName.set(name, lane)
    lane.waiting.push(index)
  }
  let open = [...byName.values()]
  return {
    take: () => {
      let best: Lane | undefined
      for (const lane of open) {
        if (best === undefined || lane.active < best.active) best = lane
      }
      const index = best?.waiting[best.next]
      if (best === undefined || index === undefined) return undefined
      const lane = best
      lane.next++
      lane.active++
      if (lane.next === lane.waiting.length) open = open.filter((other) => other !== lane)
      return { index, done: () => void lane.active-- }
    },
  }
}
