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

/** The failure that ends a proof, with the damage as its cause. `log_altered`: what a log kept is not what it signed. */
export function damaged(
  where: string,
  detail: string,
  parts: { readonly expected?: string; readonly found?: string } = {},
): CountersignError {
  const damage: Damage = { where, detail, ...parts }
  return new CountersignError('log_altered', `${where}: ${detail}`, {
    ...parts,
    cause: damage,
    hint: 'Keep this folder as it is, restore a backup beside it, and find out who or what changed it.',
  })
}

/** The damage in a failure that {@link damaged} made; `undefined` for every other. */
export function damageIn(failure: unknown): Damage | undefined {
  return failure instanceof CountersignError && failure.code === 'log_altered' ? (failure.cause as Damage) : undefined
}
