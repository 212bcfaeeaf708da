/** Keeps a lease as long as it can be renewed, so that the loop that works under it need only ask. */
import type { Clock } from '../../base/clock.ts'
import type { Lease, Leases } from '../../base/leases/lease.ts'

/** How long a lease lasts that nobody renews: what a takeover waits for after a crash. */
export const leaseMs = 4_000
/** How often it is renewed: four times, so that three may fail. */
export const renewMs = 1_000

/** A lease that is being renewed. */
export type HeldLease = {
  readonly held: () => boolean
  /** Stops renewing and gives it back. */
  readonly end: () => Promise<void>
}

/** Takes a lease and renews it; `undefined` while another process has it. */
export async function holdLease(leases: Leases, name: string, clock: Clock): Promise<HeldLease | undefined> {
  let lease: Lease | undefined = await leases.take(name, leaseMs)
  if (lease === undefined) return undefined
  let renewing: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    renewing = leases.take(name, leaseMs).then(
      (renewed) => {
        lease = renewed
      },
      // Not renewed is not lost: it lasts until it ends, and what must not happen twice is a compare-and-swap.
      () => undefined,
    )
  }, renewMs)
  timer.unref()
  return {
    held: () => lease !== undefined && lease.expiresAt > clock(),
    end: async () => {
      clearInterval(timer)
      await renewing
      if (lease !== undefined) await leases.release(lease)
      lease = undefined
    },
  }
}
