/** Who may do what only one process may: sequence a log, renew the trust root. */

/** A lease held; its fence grows with every holder. `expiresAt`: Unix milliseconds, by the clock of the holder. */
export type Lease = { readonly name: string; readonly fence: number; readonly expiresAt: number }

/**
 * Leases in the database. A lease says who should work; it protects nothing by itself: what must not happen twice is a compare-and-swap.
 */
export type Leases = {
  /** Takes the lease or renews one's own; `undefined` while another holds it. */
  readonly take: (name: string, durationMs: number) => Promise<Lease | undefined>
  /** Gives it back at once, so that the next process need not wait. */
  readonly release: (lease: Lease) => Promise<void>
}
