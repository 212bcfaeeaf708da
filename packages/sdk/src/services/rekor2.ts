/** Client of a tile-backed transparency log (Rekor v2 `POST /api/v2/log/entries`). */
import { bytesToBase64 } from '@countersign/core/base64'
import type { TransparencyLogEntry } from '@countersign/core/bundle/model'
import { readLogEntry } from '@countersign/core/bundle/log-entry'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { documentPlace } from '@countersign/core/json/shape'
import type { HttpClient } from '../http/client.ts'
import { askService, refusedBy, type ServiceRequest } from './exchange.ts'
import { type LoggableSignature, signedDigest, verifierMaterial } from './loggable.ts'
import { serviceUrl } from './service-url.ts'

const service = 'the transparency log'
const code = 'service_response_malformed'

/**
 * Logs a signature as `hashedrekord` 0.0.2; an envelope by the digest of its pre-authentication encoding, as Rekor v2 keeps nothing else.
 * The answer comes once the entry is under a published checkpoint; nothing about it is verified here.
 *
 * Throws `service_refused`, `service_unreachable`, `service_response_malformed`; `entry_exists` when the log has this very entry already.
 */
export async function logInRekor2(client: HttpClient, url: string, signed: LoggableSignature): Promise<TransparencyLogEntry> {
  const { digest, signature } = await signedDigest(signed)
  const verifier = verifierMaterial(signed)
  const rawBytes = bytesToBase64(verifier.der)
  const entry = {
    digest: bytesToBase64(digest),
    signature: {
      content: bytesToBase64(signature),
      verifier: {
        ...(verifier.kind === 'certificate' ? { x509Certificate: { rawBytes } } : { publicKey: { rawBytes } }),
        keyDetails: signed.algorithm.name,
      },
    },
  }
  const request: ServiceRequest = {
    service,
    method: 'POST',
    url: serviceUrl(url, 'api/v2/log/entries'),
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: utf8(JSON.stringify({ hashedRekordRequestV002: entry })),
    // A log holds an entry once, however often it is sent.
    repeatable: true,
  }
  const answer = await askService(client, request)
  if (answer.status === 409) {
    throw new CountersignError(
      'entry_exists',
      'the transparency log has this signature already, and gives its proof to the first who logs it',
      {
        hint: 'Use the bundle of the first time, or sign again.',
      },
    )
  }
  if (answer.status !== 201 && answer.status !== 200) throw refusedBy(request, answer)
  const { value } = parseJsonAs(code, 'the answer of the transparency log', answer.body)
  return readLogEntry(documentPlace(value, code))
}
