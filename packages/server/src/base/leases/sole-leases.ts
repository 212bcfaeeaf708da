/** Leases where there is but one process, because its storage is locked for it: a data folder with SQLite. */
import type { Clock } from '../clock.ts'
import type { Leases } from './lease.ts'

/** Gives every lease at once: a start after a crash has nobody to wait for. */
export function soleLeases(clock: Clock): Leases {
  return {
    take: async (name, durationMs) => ({ name, fence: 1, expiresAt: clock() + durationMs }),
    release: async () => undefined,
  }
}
