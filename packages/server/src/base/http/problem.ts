/** How the process answers what no service answered: problem documents (RFC 9457) with a code, and the request's id instead of inner details. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CountersignError, type FailureCode, type Outcome, outcomeOf } from '@countersign/core/failure'

/** What goes out in place of an answer. */
export type ProblemAnswer = { readonly status: number; readonly code: string; readonly detail: string; readonly retryAfterSeconds?: number }

/** Codes that say more about a status than their outcome does. */
const statuses: Readonly<Partial<Record<FailureCode, number>>> = {
  internal: 500,
  io_failed: 500,
  data_folder_damaged: 500,
  secret_damaged: 500,
  key_missing: 500,
  signer_unavailable: 503,
  deadline_exceeded: 504,
}

const byOutcome: Readonly<Record<Outcome, number>> = {
  unsigned: 400,
  not_found: 404,
  unacceptable: 400,
  denied: 403,
  unknown: 503,
  altered: 400,
  usage: 400,
  failed: 500,
}

/**
 * The status, code and text for a failure. Failures of ours say what they say; of anything else nothing is told but that it happened: its text
 * could hold what the caller may not know. Services have their own mapping; this one is for what they leave.
 */
export function problemOf(failure: unknown): ProblemAnswer {
  if (failure instanceof CountersignError) {
    const status = statuses[failure.code] ?? byOutcome[outcomeOf(failure.code)]
    if (status === 500) return { status, code: failure.code, detail: 'the service could not do this; its log says why' }
    return { status, code: failure.code, detail: failure.message, ...(status === 503 ? { retryAfterSeconds: 1 } : {}) }
  }
  const status = statusOf(failure)
  if (status === 413) return { status, code: 'limit_exceeded', detail: 'the body is larger than this service takes' }
  if (status === 415) return { status, code: 'request_malformed', detail: 'the media type of the body is malformed or not taken here' }
  if (status >= 400 && status < 500) return { status, code: 'request_malformed', detail: 'the request is malformed' }
  return { status: 500, code: 'internal', detail: 'the service could not do this; its log says why' }
}

/** Answers a request with a problem. `instance` is the request's id, under which the log has the rest. */
export async function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: ProblemAnswer): Promise<void> {
  const { status, code, detail, retryAfterSeconds } = problem
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
  await reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title: code, status, detail, instance: request.id }))
}

/** Fastify's own refusals carry their status. */
function statusOf(failure: unknown): number {
  if (typeof failure !== 'object' || failure === null || !('statusCode' in failure)) return 500
  return typeof failure.statusCode === 'number' ? failure.statusCode : 500
}

/** A failure in words that anybody may read. */
export function asFailureText(failure: unknown): string {
  return failure instanceof CountersignError ? failure.message : 'an internal failure; the log says more'
}
