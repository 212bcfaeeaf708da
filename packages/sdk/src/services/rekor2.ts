/** Client of a tile-backed transparency log (Rekor v2 `POST /api/v2/log/entries`). */
import { bytesToBase64 } from '@countersign/core/base64'
import type { TransparencyLogEntry } from '@countersign/core/bundle/model'
import { readLogEntry } from '@countersign/core/bundle/log-entry'
import { equalBytes, utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { documentPlace } from '@countersign/core/json/shape'
import { hashedrekordBody, hashedrekordV2 } from '@countersign/core/rekor/body'
import type { LogInstance } from '@countersign/core/trust/model'
import { parseCertificate } from '@countersign/core/x509/certificate'
import type { HttpClient } from '../http/client.ts'
import { header } from '../http/message.ts'
import { askService, malformedAnswer, refusedBy, type ServiceAnswer, type ServiceRequest } from './exchange.ts'
import { type LoggableSignature, signedDigest, verifierMaterial } from './loggable.ts'
import { serviceUrl } from './service-url.ts'
import { proofFromTiles } from './tile-proof.ts'

const service = 'the transparency log'
const code = 'service_response_malformed'

/** Whose log it may be: a lost answer is computed again, and its log is known by who signed the checkpoint. */
export type Rekor2 = { readonly url: string; readonly logs: readonly LogInstance[] }

/**
 * Logs a signature as `hashedrekord` 0.0.2; an envelope by the digest of its pre-authentication encoding, as Rekor v2 keeps nothing else.
 * The answer comes once the entry is under a published checkpoint; nothing about it is verified here. Where the log has this very entry already
 * (409: an answer was lost, and the request sent again), its proof is computed from the log's tiles.
 *
 * Throws `service_refused`, `service_unreachable`, `service_response_malformed`; `entry_exists` when the log has the entry and does not say where,
 * or is none of `logs`.
 */
export async function logInRekor2(client: HttpClient, { url, logs }: Rekor2, signed: LoggableSignature): Promise<TransparencyLogEntry> {
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
  if (answer.status === 409) return existing(client, { url, logs }, signed, answer)
  if (answer.status !== 201 && answer.status !== 200) throw refusedBy(request, answer)
  const { value } = parseJsonAs(code, 'the answer of the transparency log', answer.body)
  return readLogEntry(documentPlace(value, code))
}

async function existing(
  client: HttpClient,
  { url, logs }: Rekor2,
  signed: LoggableSignature,
  conflict: ServiceAnswer,
): Promise<TransparencyLogEntry> {
  const named = header(conflict, 'x-log-index')
  if (named === undefined) throw alreadyThere('does not say where')
  if (!/^(?:0|[1-9][0-9]{0,14})$/.test(named)) throw malformedAnswer(service, 'the index of the entry that it has is no number')
  const { proof, note, origin } = await proofFromTiles(client, url, Number(named))
  const log = logs.find(({ logId }) =>
    note.signatures.some(({ name, keyHash }) => name === origin && equalBytes(logId.subarray(0, keyHash.length), keyHash)),
  )
  if (log === undefined) throw alreadyThere('its checkpoint is of no log that the trusted root knows')
  return {
    logIndex: proof.logIndex,
    logId: log.logId,
    ...hashedrekordV2,
    inclusionProof: proof,
    canonicalizedBody: await bodyOf(signed),
  }
}

/** The entry as the log keeps it: that it is the one at that index, its proof shows. */
async function bodyOf(signed: LoggableSignature): Promise<Uint8Array> {
  const { digest, signature } = await signedDigest(signed)
  const { certificate, publicKey: key, algorithm } = signed
  const signer =
    certificate === undefined
      ? ({ kind: 'public-key', key } as const)
      : ({ kind: 'certificate', certificate: parseCertificate(certificate), key } as const)
  return hashedrekordBody({ algorithm, digest, signature, signer })
}

function alreadyThere(why: string): CountersignError {
  return new CountersignError('entry_exists', `the transparency log has this signature already, and ${why}`, {
    hint: 'Use the bundle of the first time, or sign again.',
  })
}
