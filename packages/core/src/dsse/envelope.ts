/** DSSE envelope (secure-systems-lab/dsse, envelope.md and protocol.md, v1.0.2). */
import { base64ToBytes, base64UrlToBytes, bytesToBase64 } from '../base64.ts'
import { concatBytes, utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import { maxDocumentBytes, parseJsonAs } from '../json/parse.ts'
import { documentPlace, items, nonEmptyText, openMembers, optional, refuse, text, type Place } from '../json/shape.ts'

/** An envelope as parsed: the payload is decoded, nothing is verified. */
export type DsseEnvelope = {
  readonly payloadType: string
  readonly payload: Uint8Array
  readonly signatures: readonly DsseSignature[]
}

/** One signature of an envelope. `keyid` is unauthenticated and decides nothing. */
export type DsseSignature = {
  readonly sig: Uint8Array
  readonly keyid?: string
}

/** Payload type of in-toto statements (in-toto attestation spec, envelope.md). */
export const inTotoPayloadType = 'application/vnd.in-toto+json'

const maxSignatures = 32
const maxBytes = maxDocumentBytes

/**
 * Reads an envelope that stands alone (a file, an `.att` layer). Unknown fields are ignored, as envelope.md demands; base64 may use either
 * alphabet, as envelope.md permits, but must be canonical and padded. Any number of signatures from 1 to 32: the caller decides how many it
 * accepts. Throws `dsse_malformed`.
 */
export function parseEnvelope(document: Uint8Array | string): DsseEnvelope {
  const { value } = parseJsonAs('dsse_malformed', 'the DSSE envelope', document, { maxBytes })
  const root = documentPlace(value, 'dsse_malformed')
  const field = openMembers(root)
  const signatures = items(field('signatures'), maxSignatures).map(readSignature)
  if (signatures.length === 0) refuse(field('signatures'), 'no signature')
  return { payloadType: nonEmptyText(field('payloadType')), payload: eitherBase64(field('payload')), signatures }
}

/** What is signed: `DSSEv1 SP length SP type SP length SP payload` (protocol.md, "Signature Definition"); lengths in bytes. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = utf8(payloadType)
  return concatBytes(utf8(`DSSEv1 ${type.length} `), type, utf8(` ${payload.length} `), payload)
}

/** Bytes of a file that {@link isPreAuthEncoding} needs to see. */
export const preAuthHeadBytes = 24

/**
 * Whether a file begins as a pre-authentication encoding does. Hostile: a signature over such a file and one of the envelope are the same bytes,
 * so that whoever has a file signed would have a statement signed, and an attestation would vouch for a file.
 */
export function isPreAuthEncoding(head: Uint8Array): boolean {
  return /^DSSEv1 [0-9]{1,12} /.test(String.fromCharCode(...head.subarray(0, preAuthHeadBytes)))
}

/**
 * The envelope in one line, in cosign's field order. A `keyid` is never written: cosign fails to verify an envelope whose `keyid` is not
 * empty, and no verifier may rely on one.
 */
export function serializeEnvelope(envelope: DsseEnvelope): Uint8Array {
  return utf8(JSON.stringify(envelopeJson(envelope)))
}

/** The envelope as a JSON value, members in cosign's order. */
export function envelopeJson(envelope: DsseEnvelope): { payload: string; payloadType: string; signatures: { sig: string }[] } {
  return {
    payload: bytesToBase64(envelope.payload),
    payloadType: envelope.payloadType,
    signatures: envelope.signatures.map((signature) => ({ sig: bytesToBase64(signature.sig) })),
  }
}

function readSignature(at: Place): DsseSignature {
  const field = openMembers(at)
  const sig = eitherBase64(field('sig'))
  if (sig.length === 0) refuse(field('sig'), 'empty signature')
  const keyid = optional(field('keyid'), text)
  return keyid === undefined || keyid === '' ? { sig } : { sig, keyid }
}

function eitherBase64(at: Place): Uint8Array {
  const encoded = text(at)
  try {
    return /[-_]/.test(encoded) ? base64UrlToBytes(encoded) : base64ToBytes(encoded)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError(at.code, `${at.path}: ${cause.message}`, { cause })
  }
}
