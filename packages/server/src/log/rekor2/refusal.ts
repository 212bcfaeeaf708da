/** How a Rekor v2 log says no: the JSON of the gRPC gateway, a status and headers (sigstore/rekor-tiles, internal/server/service.go). */
import { CountersignError, type FailureCode } from '@countersign/core/failure'

/** What goes out in place of an entry. */
export type Rekor2Refusal = {
  readonly status: number
  /** Code of gRPC (google.rpc.Code). */
  readonly code: number
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

/** An entry that is in the log already. */
export function duplicateRefusal(index: number): Rekor2Refusal {
  return {
    status: 409,
    code: 6,
    message: `an equivalent entry already exists in the transparency log with index ${index}`,
    headers: { 'x-log-index': String(index) },
  }
}

const again = { 'retry-after': '1' }
const answers: Readonly<Partial<Record<FailureCode, Omit<Rekor2Refusal, 'message'> & { readonly message?: string }>>> = {
  log_entry_malformed: { status: 400, code: 3 },
  log_entry_refused: { status: 403, code: 7 },
  log_frozen: { status: 405, code: 12, message: 'log frozen', headers: { allow: 'GET, HEAD' } },
  log_overloaded: { status: 503, code: 14, headers: again },
  log_unavailable: { status: 503, code: 14, headers: again },
}

/** A failure as a refusal; `undefined` for what only the log of the server may say. */
export function rekor2RefusalOf(failure: unknown): Rekor2Refusal | undefined {
  const answer = failure instanceof CountersignError ? answers[failure.code] : undefined
  return answer === undefined ? undefined : { message: (failure as CountersignError).message, ...answer }
}
