/** Says that something trusted will end soon, on stderr and in the report: `--warn-expiry DAYS`. */
import { dueExpiries, dueText, type Expiry } from '@countersign/core/expiry/expiry'
import type { Invocation } from '../command/invocation.ts'

const dayMs = 24 * 60 * 60 * 1000
const defaultDays = 14

/** Warns of what ends within the days that `--warn-expiry` names, 14 when it names none; 0 warns of nothing. */
export function warnOfExpiry({ flags, terminal }: Invocation, expiries: readonly Expiry[]): void {
  const days = Number(flags.text('warn-expiry') ?? defaultDays)
  for (const due of dueExpiries(expiries, terminal.nowMs, days * dayMs)) terminal.warn(`WARNING: ${dueText(due)}`)
}

/** The expiry of TUF metadata. Timestamp and snapshot live for days and are renewed by every refresh, so the warning comes late. */
export function tufExpiry(role: string, endsMs: number): Expiry {
  return {
    what: `the TUF ${role} of the initialized trusted root`,
    endsMs,
    next: 'Run "countersign trusted-root refresh" before.',
    ...(role === 'timestamp' || role === 'snapshot' ? { atMostMs: 2 * dayMs } : {}),
  }
}
