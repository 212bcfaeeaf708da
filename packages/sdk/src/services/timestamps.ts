/** Client of a timestamp authority (RFC 3161 §3.4, over HTTP). */
import { createHash, randomBytes } from 'node:crypto'
import { equalBytes } from '@countersign/core/bytes'
import { encodeTimestampRequest } from '@countersign/core/rfc3161/request'
import { maxTimestampBytes, parseTimestampResponse } from '@countersign/core/rfc3161/timestamp'
import type { HttpClient } from '../http/client.ts'
import { askService, malformedAnswer, refusedBy, type ServiceRequest } from './exchange.ts'
import { serviceUrl } from './service-url.ts'

const service = 'the timestamp authority'

/**
 * A timestamp of the message (for signatures: their raw bytes), as TimeStampResp, DER. The certificate is not asked for: verifiers have it in their
 * trusted root. `url` is the whole endpoint. Throws `service_refused`, `service_unreachable`, `timestamp_malformed`.
 */
export async function requestTimestamp(client: HttpClient, url: string, message: Uint8Array): Promise<Uint8Array> {
  const digest = new Uint8Array(createHash('sha256').update(message).digest())
  const nonce = new Uint8Array(randomBytes(16))
  const request: ServiceRequest = {
    service,
    method: 'POST',
    url: serviceUrl(url, ''),
    headers: { 'content-type': 'application/timestamp-query' },
    body: encodeTimestampRequest({ hash: 'sha256', digest, nonce, certReq: false }),
    repeatable: true,
    maxBytes: maxTimestampBytes,
  }
  const answer = await askService(client, request)
  if (answer.status !== 200 && answer.status !== 201) throw refusedBy(request, answer)
  const { imprint, nonce: repeated } = parseTimestampResponse(answer.body).token.info
  // RFC 3161 §2.4.2: hostile otherwise, an old answer for the same digest would do.
  if (repeated === undefined || !equalBytes(withoutZeros(repeated), withoutZeros(nonce)))
    throw malformedAnswer(service, 'it answers another request')
  if (imprint.hash !== 'sha256' || !equalBytes(imprint.digest, digest)) throw malformedAnswer(service, 'the timestamp is of something else')
  return answer.body
}

/** The number, whatever zeros stand before it. */
function withoutZeros(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0)
  return bytes.subarray(first === -1 ? bytes.length : first)
}
