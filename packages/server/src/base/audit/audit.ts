/** The audit log: every change of state, who made it, from where and why; each record holds the hash of the one before it. */

/** What happened. `detail` never holds a secret, a token or a whole certificate. */
export type AuditEvent = {
  /** `<room>.<verb>`, as `identity.account_created`, `ca.certificate_issued`, `trust.key_rotated`. */
  readonly action: string
  /** Who: an account, a service account, `system`, or the identity in a token. */
  readonly actor: string
  /** What it happened to. */
  readonly subject: string
  /** Network address, or `local` for the command line. */
  readonly from: string
  readonly outcome: 'done' | 'refused'
  readonly detail: Readonly<Record<string, string | number | boolean>>
}

/** Appends to the audit log. */
export type Audit = {
  /** Durable when it resolves; gives the identifier of the record, which error answers may show. */
  readonly record: (event: AuditEvent) => Promise<string>
}
