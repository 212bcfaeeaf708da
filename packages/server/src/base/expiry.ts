/** Says that something will end, weeks before: to the log at the start and every day, to pages whenever they are asked for. */
import { dueExpiries, dueText, type Expiry } from '@countersign/core/expiry/expiry'

/** Eight weeks: a ceremony needs people. */
const warnMs = 56 * 24 * 60 * 60 * 1000

/** One line for each that ends within eight weeks (or that did not renew itself in time), or has ended; the gravest first. */
export function expiryWarnings(expiries: readonly Expiry[], nowMs: number): readonly string[] {
  const ended = expiries
    .filter(({ endsMs }) => endsMs < nowMs)
    .map(({ what, endsMs, next }) => `ENDED: ${what} ended on ${new Date(endsMs).toISOString().slice(0, 10)}. ${next}`)
  return [...ended, ...dueExpiries(expiries, nowMs, warnMs).map(dueText)]
}

type WarnLog = { readonly warn: (fields: object, text: string) => void }

/** Writes warnings to a log: what has ended each time, what will end when it was not said in the same words before, which count days. */
export function warningLog(log: WarnLog, text: string): (warnings: readonly string[]) => void {
  let said: readonly string[] = []
  return (warnings) => {
    for (const detail of warnings) if (detail.startsWith('ENDED') || !said.includes(detail)) log.warn({ detail }, text)
    said = warnings
  }
}
