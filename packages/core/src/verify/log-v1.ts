/** Rekor v1 entries: hashedrekord 0.0.1, dsse 0.0.1, intoto 0.0.1 and 0.0.2 (sigstore/rekor, pkg/types), and the signed entry timestamp. */
import { bytesToBase64, textToBase64 } from '../base64.ts'
import { bytesToHex, utf8 } from '../bytes.ts'
import type { TransparencyLogEntry } from '../bundle/model.ts'
import { serializeEnvelope } from '../dsse/envelope.ts'
import { CountersignError } from '../failure.ts'
import { base64Bytes, isAbsent, items, members, oneOf, optional, refuse, text, type Place } from '../json/shape.ts'
import { algorithmByName } from '../keys/algorithm.ts'
import type { Primitives } from '../primitives.ts'
import type { LogInstance } from '../trust/model.ts'
import { demandEqual, demandHash, demandSigner, innerBase64, unknownKind, type LoggedSignature } from './logged-signature.ts'

/** Compares the body's `spec` with the signature, field for field. Refuses with `log_entry_mismatch`. */
export async function demandBodyV1(
  kind: string,
  version: string,
  spec: Place,
  logged: LoggedSignature,
  primitives: Primitives,
): Promise<void> {
  if (kind === 'hashedrekord' && version === '0.0.1') return demandHashedrekord(spec, logged)
  if (kind === 'dsse' && version === '0.0.1') return demandDsse(spec, logged, primitives)
  if (kind === 'intoto' && version === '0.0.2') return demandIntoto(spec, logged, primitives)
  if (kind === 'intoto' && version === '0.0.1') return demandIntotoV001(spec, logged, primitives)
  throw unknownKind(kind, version)
}

/**
 * Whether the log promised to include the entry at the integrated time: its signature over the JCS of body, time, log and index
 * (sigstore/rekor, openapi.yaml, `signedEntryTimestamp`). Only an ECDSA P-256 log ever made such promises.
 */
export async function entryTimestampHolds(entry: TransparencyLogEntry, log: LogInstance, primitives: Primitives): Promise<boolean> {
  const algorithm = algorithmByName(log.algorithm)
  if (algorithm?.name !== 'PKIX_ECDSA_P256_SHA_256' || entry.signedEntryTimestamp === undefined || entry.integratedTime === undefined)
    return false
  const { canonicalizedBody, integratedTime, logId, logIndex } = entry
  // Written as it is: neither base64 nor hex has a character to escape, the names are in order, and an index is an integer.
  const promised = `{"body":"${textToBase64(canonicalizedBody)}","integratedTime":${integratedTime},"logID":"${bytesToHex(logId)}","logIndex":${logIndex}}`
  return primitives.verify(algorithm, log.publicKey, utf8(promised), entry.signedEntryTimestamp)
}

async function demandHashedrekord(spec: Place, logged: LoggedSignature): Promise<void> {
  const field = members(spec, ['data', 'signature'])
  const signature = members(field('signature'), ['content', 'publicKey'])
  demandEqual(signature('content'), 'signature', logged.signature, base64Bytes(signature('content')))
  const key = members(signature('publicKey'), ['content'])
  demandSigner(key('content'), base64Bytes(key('content')), logged)
  const hash = members(members(field('data'), ['hash'])('hash'), ['algorithm', 'value'])
  await demandHash(hash, 'artifact', logged.hash)
}

/**
 * `envelopeHash` is over the JSON text that the signer uploaded, which nobody keeps, so it cannot be compared. What it would add is bound
 * otherwise: the payload by its hash, payload and type by the signature, which is compared and was verified.
 */
async function demandDsse(spec: Place, logged: LoggedSignature, primitives: Primitives): Promise<void> {
  const { payload } = demandEnvelope(spec, logged)
  const field = members(spec, ['envelopeHash', 'payloadHash', 'signatures'])
  const [signature, ...more] = items(field('signatures'), 32)
  if (signature === undefined || more.length > 0) refuse(field('signatures'), 'expected exactly one signature')
  const signed = members(signature, ['signature', 'verifier'])
  demandEqual(signed('signature'), 'signature', logged.signature, base64Bytes(signed('signature')))
  demandSigner(signed('verifier'), base64Bytes(signed('verifier')), logged)
  const payloadHash = members(field('payloadHash'), ['algorithm', 'value'])
  await demandHash(payloadHash, 'payload', async (algorithm) => primitives.hash(algorithm, payload))
  const envelopeHash = members(field('envelopeHash'), ['algorithm', 'value'])
  oneOf(envelopeHash('algorithm'), ['sha256', 'sha384', 'sha512'])
}

async function demandIntoto(spec: Place, logged: LoggedSignature, primitives: Primitives): Promise<void> {
  const { payload, payloadType } = demandEnvelope(spec, logged)
  const content = members(members(spec, ['content'])('content'), ['envelope', 'hash', 'payloadHash'])
  const envelope = members(content('envelope'), ['payload', 'payloadType', 'signatures'])
  if (text(envelope('payloadType')) !== payloadType) refuse(envelope('payloadType'), 'the log entry is for another payload type')
  const [signature, ...more] = items(envelope('signatures'), 32)
  if (signature === undefined || more.length > 0) refuse(envelope('signatures'), 'expected exactly one signature')
  const signed = members(signature, ['sig', 'publicKey', 'keyid'])
  demandEqual(signed('sig'), 'signature', logged.signature, innerBase64(signed('sig'), base64Bytes(signed('sig'))))
  demandSigner(signed('publicKey'), base64Bytes(signed('publicKey')), logged)
  const payloadHash = members(content('payloadHash'), ['algorithm', 'value'])
  await demandHash(payloadHash, 'payload', async (algorithm) => primitives.hash(algorithm, payload))
  // Rekor drops the payload from what it stores; where it is there, it must be ours.
  const stored = optional(envelope('payload'), base64Bytes)
  if (stored !== undefined) demandEqual(envelope('payload'), 'payload', payload, innerBase64(envelope('payload'), stored))
}

/**
 * The oldest form records no signature, only the hash of the whole envelope as uploaded; it is accepted if that is the hash of the envelope
 * as cosign 1 wrote it, with or without an empty `keyid`.
 */
async function demandIntotoV001(spec: Place, logged: LoggedSignature, primitives: Primitives): Promise<void> {
  const envelope = demandEnvelope(spec, logged)
  const field = members(spec, ['content', 'publicKey'])
  demandSigner(field('publicKey'), base64Bytes(field('publicKey')), logged)
  const content = members(field('content'), ['hash', 'payloadHash'])
  const { payload } = envelope
  if (!isAbsent(content('payloadHash'))) {
    const payloadHash = members(content('payloadHash'), ['algorithm', 'value'])
    await demandHash(payloadHash, 'payload', async (algorithm) => primitives.hash(algorithm, payload))
  }
  const hash = members(content('hash'), ['algorithm', 'value'])
  const refusals: CountersignError[] = []
  for (const uploaded of uploadedEnvelopes(envelope, logged.signature)) {
    try {
      return await demandHash(hash, 'envelope', async (algorithm) => primitives.hash(algorithm, uploaded))
    } catch (cause) {
      if (!(cause instanceof CountersignError) || cause.code !== 'log_entry_mismatch') throw cause
      refusals.push(cause)
    }
  }
  throw refusals[0] ?? new CountersignError('internal', 'no form of the envelope was tried')
}

function uploadedEnvelopes(envelope: { payload: Uint8Array; payloadType: string }, signature: Uint8Array): readonly Uint8Array[] {
  const payload = bytesToBase64(envelope.payload)
  const { payloadType } = envelope
  const sig = bytesToBase64(signature)
  return [
    utf8(JSON.stringify({ payloadType, payload, signatures: [{ keyid: '', sig }] })),
    utf8(JSON.stringify({ payloadType, payload, signatures: [{ sig }] })),
    serializeEnvelope({ ...envelope, signatures: [{ sig: signature }] }),
  ]
}

function demandEnvelope(spec: Place, logged: LoggedSignature): { readonly payload: Uint8Array; readonly payloadType: string } {
  return logged.envelope ?? refuse(spec, 'the log entry is for an envelope, the signature is not one')
}
