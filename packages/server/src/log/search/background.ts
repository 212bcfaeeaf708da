/** Reads what is new into the search index while nobody waits for it, so that the first search after a busy day is not slow. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SearchIndex } from './index-logs.ts'

/** What is read, and when. */
export type BackgroundOptions = {
  readonly index: Pick<SearchIndex, 'step'>
  /** True while entries wait: they come first, and one bundle a look is read beside them. */
  readonly busy: () => boolean
  readonly failed: (failure: unknown) => void
  /** Between two looks; default 2 s. */
  readonly everyMs?: number
}

/** Between two bundles of 256 entries: what they take of the processor others have too. */
const pauseMs = 20

/** Begins to read; gives what ends it, which resolves after the bundle at hand. */
export function indexInBackground({ index, busy, failed, everyMs = 2_000 }: BackgroundOptions): () => Promise<void> {
  const stopped = new AbortController()
  const { signal } = stopped
  const run = async (): Promise<void> => {
    while (await slept(everyMs, signal)) {
      try {
        while (!signal.aborted && (await index.step()) && !busy()) await slept(pauseMs, signal)
      } catch (failure) {
        failed(failure)
      }
    }
  }
  const running = run()
  return async () => {
    stopped.abort()
    await running
  }
}

async function slept(ms: number, signal: AbortSignal): Promise<boolean> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined)
  return !signal.aborted
}
