/** What is wrong with a log: the first thing that is not as the log's own rules demand, with its place. */
import { CountersignError } from '@countersign/core/failure'

/** A file or a row that is not what it should be. */
export type Damage = {
  /** The file below the blobs, or the table with the key of the row. */
  readonly where: string
  readonly detail: string
  readonly expected?: string
  readonly found?: string
}

/** The failure that ends a proof. `log_altered`: what a log kept is not what it signed. */
export function damaged(where: string, detail: string, parts: { readonly expected?: string; readonly found?: string } = {}): LogAltered {
  return new LogAltered({ where, detail, ...parts })
}

/** Carries the damage out of the proof that found it. */
export class LogAltered extends CountersignError {
  readonly damage: Damage

  constructor(damage: Damage) {
    const { where, detail, expected, found } = damage
    super('log_altered', `${where}: ${detail}`, {
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
      hint: 'Keep this folder as it is, restore a backup beside it, and find out who or what changed it.',
    })
    this.damage = damage
  }
}
