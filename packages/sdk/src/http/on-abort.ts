/** One listener for each signal, whoever waits for it: adding and removing one for each of a thousand requests costs more than they do. */

const waiting = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls `work` once when the signal aborts; not if it has aborted already. The function that it gives takes that back. */
export function onAbort(signal: AbortSignal, work: () => void): () => void {
  const all = waiting.get(signal) ?? listen(signal)
  all.add(work)
  return () => void all.delete(work)
}

function listen(signal: AbortSignal): Set<() => void> {
  const all = new Set<() => void>()
  waiting.set(signal, all)
  const callAll = (): void => {
    const called = [...all]
    all.clear()
    for (const work of called) work()
  }
  signal.addEventListener('abort', callAll, { once: true })
  return all
}
