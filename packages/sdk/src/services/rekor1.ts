/** Client of Rekor v1 (`POST /api/v1/log/entries`): signed entry timestamps, and a proof with each entry. */
import { base64ToBytes, bytesToBase64 } from '@countersign/core/base64'
import type { TransparencyLogEntry } from '@countersign/core/bundle/model'
import { hexToBytes, bytesToHex, utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { base64Bytes, count, documentPlace, entries, items, nonEmptyText, openMembers, type Place } from '@countersign/core/json/shape'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { encodePem } from '@countersign/core/pem'
import type { HttpClient } from '../http/client.ts'
import { header } from '../http/message.ts'
import { askService, malformedAnswer, refusedBy, type ServiceAnswer, type ServiceRequest } from './exchange.ts'
import { envelopeText, type LoggableSignature, signedDigest } from './loggable.ts'
import { serviceUrl } from './service-url.ts'

const service = 'the transparency log'
const code = 'service_response_malformed'
const json = { 'content-type': 'application/json', accept: 'application/json' }

/**
 * Logs a signature: a message as `hashedrekord` 0.0.1, an envelope as `dsse` 0.0.1. Where the log has it already (409), that entry is fetched.
 * Nothing about the entry is verified here. Throws as the client of Rekor v2.
 */
export async function logInRekor1(client: HttpClient, url: string, signed: LoggableSignature): Promise<TransparencyLogEntry> {
  const request: ServiceRequest = {
    service,
    method: 'POST',
    url: serviceUrl(url, 'api/v1/log/entries'),
    headers: json,
    body: utf8(JSON.stringify(await proposedEntry(signed))),
    repeatable: true,
  }
  const answer = await askService(client, request)
  if (answer.status === 409) return readAnswer(await existing(client, url, answer))
  if (answer.status !== 201 && answer.status !== 200) throw refusedBy(request, answer)
  return readAnswer(answer)
}

async function proposedEntry(signed: LoggableSignature): Promise<object> {
  const pem = utf8(signed.certificate === undefined ? encodePublicKeyPem(signed.publicKey) : encodePem('CERTIFICATE', signed.certificate))
  if (signed.content.kind === 'dsse') {
    const proposedContent = { envelope: envelopeText(signed.content), verifiers: [bytesToBase64(pem)] }
    return { apiVersion: '0.0.1', kind: 'dsse', spec: { proposedContent } }
  }
  const { hash, digest, signature } = await signedDigest(signed)
  return {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm: hash, value: bytesToHex(digest) } },
      signature: { content: bytesToBase64(signature), publicKey: { content: bytesToBase64(pem) } },
    },
  }
}

/** The entry that the log has already, at the place that it names. */
async function existing(client: HttpClient, url: string, conflict: ServiceAnswer): Promise<ServiceAnswer> {
  const uuid = /\/log\/entries\/([0-9a-f]{64}|[0-9a-f]{80})$/.exec(header(conflict, 'location') ?? '')?.[1]
  if (uuid === undefined) throw malformedAnswer(service, 'it has the entry already and does not say where')
  const request: ServiceRequest = {
    service,
    method: 'GET',
    url: serviceUrl(url, `api/v1/log/entries/${uuid}`),
    headers: { accept: 'application/json' },
    repeatable: true,
  }
  const answer = await askService(client, request)
  if (answer.status !== 200) throw refusedBy(request, answer)
  return answer
}

/** `{"<entry ID>": {…}}`, as the log answers. */
function readAnswer({ body }: ServiceAnswer): TransparencyLogEntry {
  const { value } = parseJsonAs(code, 'the answer of the transparency log', body)
  const [only, ...more] = entries(documentPlace(value, code), 2)
  if (only === undefined || more.length > 0) throw malformedAnswer(service, 'not one entry')
  return readEntry(only[1])
}

function readEntry(at: Place): TransparencyLogEntry {
  const field = openMembers(at)
  const verification = openMembers(field('verification'))
  const proof = openMembers(verification('inclusionProof'))
  const canonicalizedBody = base64Bytes(field('body'))
  const kind = openMembers(documentPlace(parseJsonAs(code, 'the body of the log entry', canonicalizedBody).value, code))
  return {
    logIndex: count(field('logIndex')),
    logId: hex(field('logID')),
    kind: nonEmptyText(kind('kind')),
    version: nonEmptyText(kind('apiVersion')),
    integratedTime: count(field('integratedTime')),
    signedEntryTimestamp: base64ToBytes(nonEmptyText(verification('signedEntryTimestamp'))),
    inclusionProof: {
      logIndex: count(proof('logIndex')),
      rootHash: hex(proof('rootHash')),
      treeSize: count(proof('treeSize')),
      hashes: items(proof('hashes'), 64).map(hex),
      checkpoint: nonEmptyText(proof('checkpoint')),
    },
    canonicalizedBody,
  }
}

function hex(at: Place): Uint8Array {
  try {
    return hexToBytes(nonEmptyText(at))
  } catch (cause) {
    throw cause instanceof CountersignError ? malformedAnswer(service, `${at.path} is not hexadecimal`, cause) : cause
  }
}
