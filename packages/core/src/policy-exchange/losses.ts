/** What a conversion cannot carry over: listed line by line, never dropped in silence. */

/** What that does to the result: it accepts more than the source, or less, or the same. */
export type LossEffect = 'weaker' | 'stricter' | 'none'

/** One thing that was not carried over, where it stands in the source, and why. */
export type Loss = { readonly path: string; readonly effect: LossEffect; readonly reason: string }

/** Collects losses while a conversion runs. */
export type LossLog = {
  readonly all: readonly Loss[]
  /** The result accepts what the source refuses. */
  readonly weaker: (path: string, reason: string) => void
  /** The result refuses what the source accepts. */
  readonly stricter: (path: string, reason: string) => void
  /** Verdicts are the same; somebody should know all the same. */
  readonly note: (path: string, reason: string) => void
}

/** An empty log. The same thing at the same place is said once. */
export function lossLog(): LossLog {
  const all: Loss[] = []
  const add = (effect: LossEffect) => (path: string, reason: string) => {
    if (!all.some((loss) => loss.path === path && loss.reason === reason)) all.push({ path, effect, reason })
  }
  return { all, weaker: add('weaker'), stricter: add('stricter'), note: add('none') }
}
