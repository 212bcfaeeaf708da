/** What a conversion of policies could not carry over: said line by line, and refused where it weakens. */
import { CountersignError } from '@countersign/core/failure'
import type { Loss } from '@countersign/core/policy-exchange/losses'
import type { Invocation } from '../command/invocation.ts'
import { printable } from '../failure/message.ts'

/** A loss with its place in a file. */
export type PlacedLoss = Loss & { readonly place: string }

const words: Readonly<Record<Loss['effect'], string>> = { weaker: 'WEAKER', stricter: 'stricter', none: 'note' }

/** Says all losses on stderr. Throws `policy_weaker` for those that weaken, without `--accept-weaker`; gives comments that record them with it. */
export function sayLosses({ flags, terminal }: Invocation, losses: readonly PlacedLoss[], what: string): readonly string[] {
  for (const loss of losses) terminal.err(`${printable(lossText(loss))}\n`)
  const weaker = losses.filter(({ effect }) => effect === 'weaker')
  if (weaker.length === 0) return []
  if (!flags.boolean('accept-weaker', false)) {
    throw new CountersignError('policy_weaker', `${what} would accept more than it should: ${weaker.length} of the lines above say WEAKER`)
  }
  terminal.warn(`WARNING: ${what} accepts more than it should (--accept-weaker).`)
  return [`Weaker than its source, by --accept-weaker:`, ...weaker.map((loss) => `  ${printable(lossText(loss))}`)]
}

function lossText({ place, effect, path, reason }: PlacedLoss): string {
  return `${place}: ${words[effect]}: ${path}: ${reason}`
}
