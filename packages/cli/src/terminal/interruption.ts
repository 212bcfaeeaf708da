/** What happens when a person interrupts: work that can end cleanly is told once; the second time, and where nothing listens, the process ends. */

let listener: (() => void) | undefined

/** From now on the next interruption calls `act`, once; the function that comes back takes that back. */
export function onInterruption(act: () => void): () => void {
  listener = act
  return () => {
    if (listener === act) listener = undefined
  }
}

/** Tells whoever listens; false when nobody does. */
export function interrupt(): boolean {
  const act = listener
  listener = undefined
  act?.()
  return act !== undefined
}

/** From now on each SIGHUP calls `act`, which without this ends the process. */
export function onHangup(act: () => void): void {
  process.on('SIGHUP', act)
}
