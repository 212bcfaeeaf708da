/** What a conversion cannot carry over: listed line by line, never dropped in silence. */

import type { Decision } from '../policy/model.ts'

/** What that does to the result: it accepts more than the source, or less, or the same. */
export type LossEffect = 'weaker' | 'stricter' | 'none'

/** One thing that was not carried over, where it stands in the source, and why. */
export type Loss = { readonly path: string; readonly effect: LossEffect; readonly reason: string }

/** A loss before it is known what images come to that no rule speaks of. */
export type OpenLoss = Loss & { readonly dropped?: true }

/** Collects losses while a conversion runs. */
export type LossLog = {
  readonly all: readonly OpenLoss[]
  /** The result accepts what the source refuses. */
  readonly weaker: (path: string, reason: string) => void
  /** The result refuses what the source accepts. */
  readonly stricter: (path: string, reason: string) => void
  /** No rule speaks of these images here: stricter where such images are denied, else weaker. */
  readonly dropped: (path: string, reason: string) => void
  /** These images are refused there, and no rule speaks of them here: the same where such images are denied, else weaker. */
  readonly refused: (path: string, reason: string) => void
  /** Verdicts are the same; somebody should know all the same. */
  readonly note: (path: string, reason: string) => void
}

/** An empty log. The same thing at the same place is said once. */
export function lossLog(): LossLog {
  const all: OpenLoss[] = []
  const add =
    (effect: LossEffect, more: Pick<OpenLoss, 'dropped'> = {}) =>
    (path: string, reason: string) => {
      if (!all.some((loss) => loss.path === path && loss.reason === reason)) all.push({ path, effect, reason, ...more })
    }
  return {
    all,
    weaker: add('weaker'),
    stricter: add('stricter'),
    dropped: add('stricter', { dropped: true }),
    refused: add('none', { dropped: true }),
    note: add('none'),
  }
}

/** The losses, where `unmatched` is what images come to that no rule speaks of: what was dropped is then no longer refused. */
export function settleLosses(losses: readonly OpenLoss[], unmatched: Decision): readonly Loss[] {
  return losses.map(({ path, effect, reason, dropped }) => ({ path, effect: dropped && unmatched !== 'deny' ? 'weaker' : effect, reason }))
}
