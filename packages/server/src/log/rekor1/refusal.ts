/** How Rekor v1 says no: a status and `{"code", "message"}` (sigstore/rekor, openapi.yaml, `Error`). */
import { CountersignError, type FailureCode } from '@countersign/core/failure'

/** What goes out in place of an answer. */
export type Rekor1Refusal = { readonly status: number; readonly message: string; readonly headers?: Readonly<Record<string, string>> }

const again = { 'retry-after': '1' }
const answers: Readonly<Partial<Record<FailureCode, Omit<Rekor1Refusal, 'message'>>>> = {
  log_entry_malformed: { status: 400 },
  not_supported: { status: 400 },
  log_entry_refused: { status: 403 },
  proof_impossible: { status: 400 },
  log_frozen: { status: 405, headers: { allow: 'GET, HEAD' } },
  log_overloaded: { status: 503, headers: again },
  log_unavailable: { status: 503, headers: again },
}

/** An entry that is in the log already; clients look for its ID in header and text. */
export function conflict(id: string): Rekor1Refusal {
  return {
    status: 409,
    message: `an equivalent entry already exists in the transparency log with UUID ${id}`,
    headers: { location: `/api/v1/log/entries/${id}` },
  }
}

/** A failure as a refusal; `undefined` for what only the log of the server may say. */
export function rekor1RefusalOf(failure: unknown): Rekor1Refusal | undefined {
  if (failure instanceof CountersignError) {
    const answer = answers[failure.code]
    return answer === undefined ? undefined : { message: failure.message, ...answer }
  }
  const status = failure instanceof Error && 'statusCode' in failure ? failure.statusCode : undefined
  if (status === 413) return { status, message: 'the request is too large' }
  return status === 400 ? { status, message: 'the request is malformed' } : undefined
}
