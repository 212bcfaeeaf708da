/** What something in a registry claims to be. A claim: nothing is verified. */
import { CountersignError } from '@countersign/core/failure'
import { isSignatureStatement, parseStatement } from '@countersign/core/statement/statement'
import type { FoundEntity } from '@countersign/sdk/discover/found'

/** The claim. */
export type Claim =
  | { readonly kind: 'signature'; readonly predicateType?: string }
  | { readonly kind: 'attestation'; readonly predicateType: string }
  | { readonly kind: 'unreadable'; readonly detail: string }

/** Reads it. */
export function claimOf(found: FoundEntity): Claim {
  if (!found.parsed.ok) return { kind: 'unreadable', detail: found.parsed.failure.message }
  const { content } = found.parsed.entity
  if (content.kind !== 'dsse') return { kind: 'signature' }
  try {
    const statement = parseStatement(content.envelope.payload)
    const { predicateType } = statement
    return isSignatureStatement(statement) ? { kind: 'signature', predicateType } : { kind: 'attestation', predicateType }
  } catch (cause) {
    if (cause instanceof CountersignError) return { kind: 'unreadable', detail: cause.message }
    throw cause
  }
}
