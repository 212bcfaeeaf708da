/** Whether several attestors together demand a log entry. Certificates of Fulcio count only with one here, whatever is said of them. */
import type { LossLog } from './losses.ts'

/** What one attestor says: of a key yes or no; of a certificate nothing needs to be said. */
export type Logged = boolean | 'certificate'

/** One demand for all: a rule has one. Says so where that is stricter for some. */
export function loggedTogether(all: readonly Logged[], path: string, log: LossLog): Logged {
  const keys = all.filter((each) => each !== 'certificate')
  if (keys.length === 0) return all.length === 0 ? false : 'certificate'
  if (keys.includes(true) && keys.includes(false)) log.stricter(path, 'a log entry is demanded of all attestors here, of some there')
  return keys.includes(true)
}

/** The demand as a rule writes it. */
export function loggedField(logged: Logged): { readonly logged?: true } {
  return logged === false ? {} : { logged: true }
}
