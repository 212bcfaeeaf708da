/** Failures as grpc-gateway writes them, which is what clients of the reference print: code, message, and details that a person can act on. */
import { CountersignError, outcomeOf, type FailureCode } from '@countersign/core/failure'

/** An answer that is not a certificate. */
export type CertificateRefusal = { readonly status: number; readonly body: string; readonly retryAfterSeconds?: number }

/** Codes of gRPC (google.rpc.Code) with the statuses that grpc-gateway gives them. */
const invalidArgument = { code: 3, status: 400 }
const resourceExhausted = { code: 8, status: 429 }
const internal = { code: 13, status: 500 }
const unavailable = { code: 14, status: 503 }

const tokenMessage = 'There was an error processing the identity token'
const keyMessage = 'The public key supplied in the request could not be parsed'
const proofMessage = 'The signature supplied in the request could not be verified'
const requestMessage = 'The certificate signing request could not be parsed'

/** Messages of the reference by our code; every code here is the client's fault. */
const messages: Readonly<Partial<Record<FailureCode, string>>> = {
  identity_token_missing: tokenMessage,
  account_disabled: tokenMessage,
  identity_token_malformed: tokenMessage,
  identity_token_expired: tokenMessage,
  identity_token_early: tokenMessage,
  identity_algorithm_refused: tokenMessage,
  identity_issuer_unknown: tokenMessage,
  identity_audience_mismatch: tokenMessage,
  identity_key_unknown: tokenMessage,
  identity_signature_invalid: tokenMessage,
  identity_claim_missing: tokenMessage,
  identity_claim_malformed: tokenMessage,
  identity_email_unverified: tokenMessage,
  key_malformed: keyMessage,
  key_unsupported: keyMessage,
  key_weak: 'The public key supplied in the request is insecure',
  pem_malformed: keyMessage,
  utf8_malformed: keyMessage,
  der_too_large: keyMessage,
  der_too_deep: keyMessage,
  algorithm_unsupported: proofMessage,
  possession_unproven: proofMessage,
  certificate_request_malformed: requestMessage,
  certificate_request_refused: 'The request could not be read',
}

/** A disk that is full, a database that is away: it may be better in a moment, and nothing was issued. */
const storageFailures: ReadonlySet<FailureCode> = new Set(['database_failed', 'blob_store_failed'])
const retryAfterSeconds = 2

/** Whether a failure is what the client sent, and so told in full. */
export function isClientFailure(failure: unknown): failure is CountersignError {
  return failure instanceof CountersignError && (failure.code in messages || failure.code === 'issuance_throttled')
}

/** The answer to a failure. `reference` names the record of it: an audit id, or the id of the request. Nothing else is told of failures of ours. */
export function refusalOf(failure: unknown, reference: string, waitSeconds: number = retryAfterSeconds): CertificateRefusal {
  if (isClientFailure(failure)) {
    const { code, message } = failure
    if (code === 'issuance_throttled') {
      return { ...answer(resourceExhausted, message, code, reference, failure), retryAfterSeconds: waitSeconds }
    }
    return answer(invalidArgument, `${messages[code] ?? 'The request was refused'}: ${message}`, code, reference, failure)
  }
  if (failure instanceof CountersignError && (outcomeOf(failure.code) === 'unknown' || storageFailures.has(failure.code))) {
    const message =
      failure.code === 'identity_issuer_unavailable' ? `${tokenMessage}: ${failure.message}` : 'The service cannot issue certificates now'
    return { ...answer(unavailable, message, failure.code, reference), retryAfterSeconds }
  }
  return answer(internal, 'error creating a certificate', 'internal', reference)
}

function answer(
  kind: { code: number; status: number },
  message: string,
  reason: string,
  reference: string,
  failure?: CountersignError,
): CertificateRefusal {
  const { expected, found, hint } = failure ?? {}
  const metadata = Object.fromEntries(
    Object.entries({ auditId: reference, expected, found, hint }).filter(([, value]) => value !== undefined),
  )
  const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain: 'fulcio', metadata }]
  return { status: kind.status, body: JSON.stringify({ code: kind.code, message, details }) }
}
