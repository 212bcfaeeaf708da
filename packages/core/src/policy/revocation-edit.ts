/** The next version of a revocation list: what whoever publishes one may change, and nothing else. */
import { CountersignError } from '../failure.ts'
import { timeText } from '../verify/time.ts'
import { targetKey, type RevocationEntry, type RevocationList } from './revocation-list.ts'
import { covers, rollbackOf } from './revocations.ts'

/** What a new version adds. */
export type RevocationChange = {
  readonly add: readonly RevocationEntry[]
  /** Unix milliseconds. */
  readonly issuedMs: number
  readonly expiresMs: number
}

/** The first version of a list, with what it revokes from the start. Throws `usage`. */
export function newRevocationList(name: string, change: RevocationChange): RevocationList {
  return amendRevocations({ name, version: 0, issuedMs: 0, expiresMs: 0, entries: [] }, change)
}

/**
 * The version that follows. An entry that is there already may become earlier and graver; later or milder is refused with `usage`, since every
 * verifier that has seen the old version would refuse the new one.
 */
export function amendRevocations(list: RevocationList, { add, issuedMs, expiresMs }: RevocationChange): RevocationList {
  if (expiresMs <= issuedMs) throw new CountersignError('usage', `the list would expire ${timeText(expiresMs)}, before it is issued`)
  if (issuedMs < list.issuedMs) {
    throw new CountersignError('usage', `version ${list.version} was issued ${timeText(list.issuedMs)}, which is to come`, {
      hint: 'Check the clock of this machine.',
    })
  }
  const entries = add.reduce<readonly RevocationEntry[]>(withEntry, list.entries)
  const next = { name: list.name, version: list.version + 1, issuedMs, expiresMs, entries }
  const problem = rollbackOf(list, next)
  if (problem !== undefined) throw new CountersignError('internal', problem.detail)
  return next
}

function withEntry(entries: readonly RevocationEntry[], added: RevocationEntry): readonly RevocationEntry[] {
  const key = targetKey(added.target)
  const same = entries.filter(({ target }) => targetKey(target) === key)
  const stronger = same.find((old) => covers(old, added) && !covers(added, old))
  if (stronger !== undefined) {
    const since = stronger.effectiveMs === undefined ? 'for all time' : `from ${timeText(stronger.effectiveMs)}`
    throw new CountersignError('usage', `the list revokes ${key} already, ${since}, severity ${stronger.severity}`, {
      expected: 'an earlier moment or a graver severity',
      hint: 'A revocation is never taken back or softened: give what was revoked by mistake a new key.',
    })
  }
  const kept = entries.filter((old) => targetKey(old.target) !== key || !covers(added, old))
  return [...kept, added]
}
