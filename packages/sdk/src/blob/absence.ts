/** What a refusal of one signature means for the file that it came with. */
import type { FailureCode } from '@countersign/core/failure'
import { signaturePredicateType } from '@countersign/core/statement/statement'
import type { Verification } from '@countersign/core/verify/evidence'
import type { ContentDemand } from '@countersign/core/verify/policy'

/** An attestation is no signature, and a signature no attestation: with nothing else beside the file, what was asked for is not there. */
export function asAbsence(verification: Verification, content: ContentDemand): Verification {
  if (verification.ok || verification.code !== 'predicate_mismatch') return verification
  if (content.kind === 'signature') return { ...verification, code: 'no_signature' }
  return verification.found === signaturePredicateType ? { ...verification, code: 'no_attestation' } : verification
}

/** What does not parse is named: nothing in its text says which of the files it is. */
export function namingEvidence(verification: Verification, name: string): Verification {
  const unread: readonly FailureCode[] = ['bundle_malformed', 'bundle_version_unsupported', 'dsse_malformed', 'dsse_signature_count']
  if (verification.ok || !unread.includes(verification.code)) return verification
  return { ...verification, detail: `${name}: ${verification.detail}` }
}
