/** What attestors must prove beside the signature: a log entry, a time. A rule has one demand for all of them. */
import { isAbsent, type Place } from '../json/shape.ts'
import type { LossLog } from './losses.ts'

/** Of a key yes or no; of a certificate of Fulcio nothing needs to be said: it counts only with a log entry here, whatever is said of it. */
export type Proof = { readonly log: boolean | 'certificate'; readonly time: boolean }

/** One demand for all. Says so where that is stricter for some. */
export function proofTogether(all: readonly Proof[], path: string, losses: LossLog): Proof {
  const logs = all.map(({ log }) => log).filter((each) => each !== 'certificate')
  if (logs.includes(true) && logs.includes(false)) losses.stricter(path, 'a log entry is demanded of all attestors here, of some there')
  const timed = all.some(({ time }) => time)
  if (timed && all.some(({ time }) => !time)) losses.stricter(path, 'a proven time is demanded of all attestors here, of some there')
  return { log: logs.length === 0 && all.length > 0 ? 'certificate' : logs.includes(true), time: timed }
}

/** The demand as a rule writes it. */
export function proofFields({ log, time }: Proof): { readonly logged?: true; readonly time?: 'required' } {
  return { ...(log === false ? {} : { logged: true }), ...(time ? { time: 'required' } : {}) }
}

/** Whether a timestamp of an authority is demanded there. Here a time that a log proves counts as well. */
export function demandsTimestamp(at: Place, losses: LossLog): boolean {
  if (isAbsent(at)) return false
  losses.weaker(at.path, 'a timestamp of an authority is demanded there; here a time that a log proves counts too')
  return true
}
