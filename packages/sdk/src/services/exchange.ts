/** One exchange with a signing service: a request with a body, an answer read whole, failures in the words of services. */
import { CountersignError, type FailureCode } from '@countersign/core/failure'
import type { HttpClient } from '../http/client.ts'
import { readBody } from '../http/body.ts'
import { describeRequest, hintForAddress } from '../http/failures.ts'
import { isLoopbackHost } from '../http/address.ts'
import type { HttpRequest, HttpResponse } from '../http/message.ts'

/** An answer, whatever its status. */
export type ServiceAnswer = { readonly status: number; readonly headers: HttpResponse['headers']; readonly body: Uint8Array }

/** What is asked. `service` is what a person calls it: "the certificate authority". */
export type ServiceRequest = {
  readonly service: string
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** Asking twice does no harm: then a broken connection leads to another attempt. */
  readonly repeatable: boolean
  /** Bytes of the longest answer; default 4 MiB. */
  readonly maxBytes?: number
  /** Why this one may be asked in plain http though it is not on loopback. */
  readonly withoutTls?: 'link-local metadata server'
}

const defaultMaxBytes = 4 * 1024 * 1024

/** A client's failures are those of registries, for which it was made first. */
const serviceCodes: Partial<Record<FailureCode, FailureCode>> = {
  registry_unreachable: 'service_unreachable',
  registry_throttled: 'service_throttled',
  registry_failed: 'service_failed',
  registry_response_malformed: 'service_response_malformed',
}

/**
 * Sends and reads. Throws `insecure_transport` for plain http off loopback: tokens and what trust rests on must not be read on the way;
 * `service_unreachable`, `deadline_exceeded`, `limit_exceeded`.
 */
export async function askService(client: HttpClient, request: ServiceRequest): Promise<ServiceAnswer> {
  const { service, method, url, headers, body, repeatable } = request
  if (url.protocol !== 'https:' && !isLoopbackHost(url.hostname) && request.withoutTls === undefined) {
    throw new CountersignError('insecure_transport', `${service} would be asked without TLS`, {
      expected: 'an https URL, or http on loopback',
      found: url.origin,
      hint: 'Give the service a certificate, or a proxy with one.',
    })
  }
  const asked: HttpRequest = {
    method,
    url,
    repeatable,
    named: false,
    headers: { accept: '*/*', ...headers },
    ...(body === undefined ? {} : { body }),
  }
  try {
    const response = await client.send(asked)
    return {
      status: response.status,
      headers: response.headers,
      body: await readBody(response, asked, request.maxBytes ?? defaultMaxBytes),
    }
  } catch (error) {
    throw inServiceWords(error, asked, service)
  }
}

function inServiceWords(error: unknown, request: HttpRequest, service: string): unknown {
  if (!(error instanceof CountersignError)) return error
  const code = serviceCodes[error.code]
  if (code === undefined) return error
  return new CountersignError(code, `${service} cannot be reached: ${error.message}`, {
    cause: error,
    hint: hintForAddress(request.url, error.message) ?? `Check the address ${request.url.origin} and that the service runs.`,
  })
}

/** What an unexpected status means. The answer's text is the service's own, cut and made printable. */
export function refusedBy(request: Pick<ServiceRequest, 'service' | 'method' | 'url'>, answer: ServiceAnswer): CountersignError {
  const said = messageIn(answer.body)
  const text = `${request.service} answered ${answer.status} to ${describeRequest(request)}${said === '' ? '' : `: ${said}`}`
  if (answer.status === 429) return new CountersignError('service_throttled', text, { hint: 'Wait, then sign again.' })
  if (answer.status >= 500) return new CountersignError('service_failed', text, { hint: 'Wait, then sign again.' })
  return new CountersignError('service_refused', text)
}

/** The `message` of a JSON answer, or its text. Hostile: control characters would write on the terminal. */
function messageIn(body: Uint8Array): string {
  const text = new TextDecoder().decode(body.subarray(0, 2_000))
  return (readMessage(text) ?? text)
    .replace(/\p{C}+/gu, ' ')
    .trim()
    .slice(0, 300)
}

function readMessage(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const message = typeof value === 'object' && value !== null && 'message' in value ? value.message : undefined
    return typeof message === 'string' ? message : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** An answer that is not what the protocol says. */
export function malformedAnswer(service: string, detail: string, cause?: unknown): CountersignError {
  return new CountersignError(
    'service_response_malformed',
    `${service} gave an answer that makes no sense: ${detail}`,
    cause === undefined ? {} : { cause },
  )
}
