/** JSON as cosign 3 prints it, field by field and in its order, so that scripts go on. */
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError, unreachable } from '@countersign/core/failure'
import { type JsonObject, type JsonValue, parseJson } from '@countersign/core/json/parse'
import type { Evidence } from '@countersign/core/verify/evidence'
import type { AcceptedSignature } from '@countersign/sdk/verify/requests'

/** One signature in the array of `cosign verify`. Bundle signatures name no repository; there the image is echoed as typed, as cosign does. */
export function cosignPayload(evidence: Evidence, image: { readonly typed: string; readonly digest?: string | undefined }): string {
  const { content } = evidence
  switch (content.kind) {
    case 'simple-signing':
      return simpleSigning(content.payload)
    case 'statement':
      return claims(image.typed, evidence.artifact ?? image.digest ?? '', content.predicateType, evidence.annotations)
    case 'message':
      return claims(image.typed, evidence.artifact ?? image.digest ?? '', 'message', {})
    default:
      return unreachable(content)
  }
}

/** The envelope of an attestation as `cosign verify-attestation` prints it: payload, payloadType, signatures. */
export function cosignEnvelope(accepted: Pick<AcceptedSignature, 'bytes'>): string {
  const stored = parseJson(accepted.bytes, { maxBytes: 256 * 1024 * 1024 })
  const envelope = objectIn(stored, 'dsseEnvelope') ?? stored
  const signatures = listIn(envelope, 'signatures').map((signature) => ({ sig: member(signature, 'sig') }))
  return goJson({ payload: member(envelope, 'payload'), payloadType: member(envelope, 'payloadType'), signatures })
}

function claims(reference: string, digest: string, type: string, optional: JsonObject | undefined): string {
  const critical = { identity: { 'docker-reference': reference }, image: { 'docker-manifest-digest': digest }, type }
  return `{"critical":${goJson(critical)},"optional":${optional === undefined ? 'null' : goMap(optional)}}`
}

/** A legacy payload, re-serialised as Go does: known fields in order, `optional` with sorted names, or `null`. */
function simpleSigning(payload: Uint8Array): string {
  const document = parseJson(fromUtf8(payload))
  const critical = objectIn(document, 'critical')
  return claims(
    textIn(objectIn(critical, 'identity'), 'docker-reference'),
    textIn(objectIn(critical, 'image'), 'docker-manifest-digest'),
    textIn(critical, 'type'),
    objectIn(document, 'optional'),
  )
}

/** JSON on one line, with the characters escaped that Go's encoder escapes. */
export function goJson(value: JsonValue): string {
  return JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('>', '\\u003e')
    .replaceAll('&', '\\u0026')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
}

/** An object as Go writes a map: names sorted at every depth. Spelled out, because JavaScript moves names such as "10" to the front. */
function goMap(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return goJson(value)
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(goMap).join(',')}]`
  const entries = Object.entries(value as JsonObject).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([name, member]) => `${goJson(name)}:${goMap(member)}`).join(',')}}`
}

/** An envelope that verified cannot lack a field: its absence is a broken assumption, not input. */
function member(object: JsonValue | undefined, name: string): JsonValue {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    throw new CountersignError('internal', `no object around ${name}`)
  }
  return (object as JsonObject)[name] ?? null
}

function objectIn(object: JsonValue | undefined, name: string): JsonObject | undefined {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return undefined
  const value = (object as JsonObject)[name]
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}

function listIn(object: JsonValue | undefined, name: string): readonly JsonValue[] {
  const value = typeof object === 'object' && object !== null && !Array.isArray(object) ? (object as JsonObject)[name] : undefined
  return Array.isArray(value) ? (value as readonly JsonValue[]) : []
}

/** A text field; a payload that verified may still lack it, and Go then prints the empty text. */
function textIn(object: JsonObject | undefined, name: string): string {
  const value = object?.[name]
  return typeof value === 'string' ? value : ''
}
