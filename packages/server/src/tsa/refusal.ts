/** What a refused request is answered: one mapping from the codes of the platform to HTTP and to PKIFailureInfo (RFC 3161 §2.4.2). */
import { CountersignError, type FailureCode } from '@countersign/core/failure'
import { encodeTimestampRefusal, type timestampFailure } from '@countersign/core/rfc3161/respond'

/** An answer of HTTP. */
export type RefusalAnswer = {
  readonly status: number
  readonly type: string
  readonly body: Uint8Array | string
  readonly code: FailureCode
}

/** How the request was written; a refusal is written the same way. */
export type RequestForm = 'der' | 'json'

/** The answer to a request that failed. What is not a refusal of ours is `internal` and tells nothing. */
export function refusalAnswer(form: RequestForm, cause: unknown): RefusalAnswer {
  const code = cause instanceof CountersignError ? cause.code : 'internal'
  const { status, failure } = meanings[code] ?? defect
  const detail = status === 500 ? 'the timestamp authority failed' : textOf(cause as CountersignError)
  if (form === 'der') return { status, type: 'application/timestamp-reply', body: encodeTimestampRefusal(failure, detail), code }
  return { status, type: 'application/json', body: JSON.stringify({ code: status, message: detail }), code }
}

type Meaning = { readonly status: number; readonly failure: keyof typeof timestampFailure }

const meanings: Readonly<Partial<Record<FailureCode, Meaning>>> = {
  timestamp_request_malformed: { status: 400, failure: 'badDataFormat' },
  der_too_large: { status: 400, failure: 'badDataFormat' },
  der_too_deep: { status: 400, failure: 'badDataFormat' },
  timestamp_digest_refused: { status: 400, failure: 'badAlg' },
  timestamp_policy_refused: { status: 400, failure: 'unacceptedPolicy' },
  timestamp_extension_refused: { status: 400, failure: 'unacceptedExtension' },
  clock_untrusted: { status: 503, failure: 'timeNotAvailable' },
  signer_unavailable: { status: 503, failure: 'systemFailure' },
}

/** Whatever else happens is a defect. */
const defect: Meaning = { status: 500, failure: 'systemFailure' }

function textOf({ message, expected, found }: CountersignError): string {
  const parts = [expected === undefined ? '' : `; expected ${expected}`, found === undefined ? '' : `; found ${found}`]
  return `${message}${parts.join('')}`.slice(0, 400)
}
