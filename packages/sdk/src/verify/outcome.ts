/** From many signatures to one outcome. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError, gravity, outcomeOf } from '@countersign/core/failure'
import { isSignatureStatement, parseStatement } from '@countersign/core/statement/statement'
import type { Refusal } from '@countersign/core/verify/evidence'
import type { ContentDemand } from '@countersign/core/verify/policy'
import type { FoundEntity } from '../discover/found.ts'
import type { RejectedSignature } from './requests.ts'

/** A failure as a refusal: no check had held before it. */
export function refusalFrom(failure: CountersignError): Refusal {
  return {
    ok: false,
    code: failure.code,
    detail: failure.message,
    ...(failure.expected === undefined ? {} : { expected: failure.expected }),
    ...(failure.found === undefined ? {} : { found: failure.found }),
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    checks: [],
  }
}

/** What a parser of parts says about a file that someone offers as evidence: it is not what a signer wrote. */
export function asEvidenceFailure(failure: CountersignError): CountersignError {
  const general = ['json_malformed', 'json_duplicate_key', 'json_too_deep', 'json_too_large', 'base64_malformed', 'utf8_malformed']
  return general.includes(failure.code) ? new CountersignError('bundle_malformed', failure.message, { cause: failure }) : failure
}

/** What a found entity claims to be; `unreadable` when it does not parse. A claim decides only what it is compared with, nothing else. */
export function claimOf(found: FoundEntity): 'signature' | 'attestation' | 'unreadable' {
  if (!found.parsed.ok) return 'unreadable'
  const { content } = found.parsed.entity
  if (content.kind !== 'dsse') return 'signature'
  try {
    return isSignatureStatement(parseStatement(content.envelope.payload)) ? 'signature' : 'attestation'
  } catch (cause) {
    if (cause instanceof CountersignError) return 'unreadable'
    throw cause
  }
}

/** Whether a found entity is looked at: an attestation is never a signature, nor the other way round; what does not parse counts as both. */
export function countsFor(found: FoundEntity, demand: ContentDemand): boolean {
  const claim = claimOf(found)
  return demand.kind === 'any_content' || claim === 'unreadable' || claim === demand.kind
}

/**
 * The one failure of an image without an accepted signature. What was proven altered is said first. Otherwise, while a place could not be
 * read, an acceptable signature may be there: "could not tell". Then the gravest refusal; with none, the image is unsigned.
 */
export function gravestFailure(
  demand: ContentDemand,
  subject: Digest,
  rejected: readonly RejectedSignature[],
  unreadable: readonly CountersignError[],
  others: number,
): Refusal {
  const open = unreadable.map(refusalFrom).toSorted(byGravity)[0]
  const worst = rejected.map(({ refusal }) => refusal).toSorted(byGravity)[0]
  if (worst !== undefined && (open === undefined || rank(worst) < rank({ code: 'signer_untrusted' }))) return worst
  if (open !== undefined) return open
  return worst ?? nothingThere(demand, subject, others)
}

function rank({ code }: Pick<Refusal, 'code'>): number {
  return gravity.indexOf(outcomeOf(code))
}

function byGravity(a: Refusal, b: Refusal): number {
  return rank(a) - rank(b)
}

function nothingThere(demand: ContentDemand, subject: Digest, others: number): Refusal {
  const attestation = demand.kind === 'attestation'
  const wanted = attestation ? 'attestation' : 'signature'
  const other = attestation ? 'signature' : 'attestation'
  const beside =
    others === 0 ? '' : `; ${others} ${other}${others === 1 ? ' is' : 's are'} there and ${others === 1 ? 'does' : 'do'} not count`
  return {
    ok: false,
    code: attestation ? 'no_attestation' : 'no_signature',
    detail: `no ${wanted} of ${subject} was found${beside}`,
    ...(others === 0 ? {} : { hint: `Use ${attestation ? 'verify' : 'verify-attestation'} to verify ${other}s.` }),
    checks: [],
  }
}
