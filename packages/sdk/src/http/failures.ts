/** What a failed exchange means, as a failure of the platform. Nothing here shows a header, a body or a query value that may be a secret. */
import { CountersignError, type FailureCode } from '@countersign/core/failure'
import { deadlineExceeded, type Deadline } from './deadline.ts'
import type { HttpRequest } from './message.ts'
import { redactUrl } from './redact.ts'

/** `GET https://host/path` for a message. */
export function describeRequest(request: Pick<HttpRequest, 'method' | 'url'>): string {
  return `${request.method} ${redactUrl(request.url)}`
}

/** The code of a Node system, TLS or HTTP parser error, or the empty string. */
export function errorCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : ''
}

const transient: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNABORTED',
  'EAI_AGAIN',
  'ERR_STREAM_PREMATURE_CLOSE',
])

/** Whether the same request may well succeed a moment later: the connection broke, rather than being refused. */
export function isTransient(error: unknown): boolean {
  return transient.has(errorCode(error))
}

/** A failure of the network underneath as `registry_unreachable`, `deadline_exceeded` or `registry_response_malformed`. */
export function failureOfExchange(error: unknown, request: HttpRequest, deadline: Deadline): CountersignError {
  if (error instanceof CountersignError) return error
  const what = describeRequest(request)
  if (deadline.signal.aborted) return deadlineExceeded(deadline, what, error)
  const code = errorCode(error)
  if (code.startsWith('HPE_')) {
    return new CountersignError('registry_response_malformed', `${what}: the answer is not HTTP (${code})`, { cause: error })
  }
  const hint = hintFor(code)
  return new CountersignError('registry_unreachable', `${what}: ${code === '' ? 'the connection failed' : code}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  })
}

/** Whether a host was reached over TLS and its certificate was not accepted. */
export function isCertificateRefused(error: unknown): boolean {
  return /CERT|ISSUER|SIGNATURE/.test(errorCode(error))
}

/** What to try when `url`, which is no registry, was not reached; `message` is of the failure, and ends with its code. */
export function hintForAddress(url: URL, message: string): string | undefined {
  const code = /\b[A-Z][A-Z0-9_]+$/.exec(message)?.[0] ?? ''
  if (/CERT|ISSUER|SIGNATURE/.test(code)) return 'Name the authority of its certificate in a file: NODE_EXTRA_CA_CERTS=FILE.'
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) return 'What answers there speaks no TLS: is the address http:// and not https://?'
  if (code === 'ECONNRESET' && url.protocol === 'http:') return 'Does it speak TLS? Then its address begins with https://.'
  if (code === 'ECONNREFUSED') return `Nothing listens there: check the address ${url.origin}, and that the server runs.`
  return undefined
}

function hintFor(code: string): string | undefined {
  if (/CERT|ISSUER|SIGNATURE/.test(code)) return 'Name the authority of the server certificate with --registry-cacert.'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'Check the registry name and the DNS server.'
  if (code === 'ECONNREFUSED') return 'Check the port, and that the registry runs.'
  return undefined
}

const brokenOff = new WeakSet<object>()

/** The failure of a body that ended before its end. */
export function bodyBrokenOff(error: unknown, request: HttpRequest, deadline: Deadline): CountersignError {
  const failure = failureOfExchange(error, request, deadline)
  if (failure.code !== 'registry_unreachable') return failure
  const told = new CountersignError('registry_unreachable', `${describeRequest(request)}: the answer broke off`, { cause: error })
  brokenOff.add(told)
  return told
}

/** Whether a failure is that of a body which broke off, so that asking again may help. */
export function isBrokenOff(error: unknown): boolean {
  return error instanceof CountersignError && brokenOff.has(error)
}

/** What a status that nobody asked for means. `detail` is text that names no secret. */
export function failureOfStatus(request: Pick<HttpRequest, 'method' | 'url'>, status: number, detail = ''): CountersignError {
  const text = `${describeRequest(request)}: HTTP ${status}${detail === '' ? '' : `: ${detail}`}`
  return new CountersignError(codeOfStatus(status), text, hintOfStatus(status))
}

function codeOfStatus(status: number): FailureCode {
  if (status === 401 || status === 403) return 'registry_unauthorized'
  if (status === 429) return 'registry_throttled'
  if (status >= 500) return 'registry_failed'
  return 'registry_response_malformed'
}

function hintOfStatus(status: number): { readonly hint?: string } {
  if (status === 401 || status === 403) return { hint: 'Log in to the registry, or check that the account may do this.' }
  if (status === 429) return { hint: 'Wait, or log in: registries allow more requests to known accounts.' }
  return {}
}
