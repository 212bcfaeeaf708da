/**
 * cosign's layouts from before the Sigstore bundle: the blob bundle `{"base64Signature","cert","rekorBundle"}` and the annotations of a
 * signature layer in a registry.
 *
 * A public key in such a file says who claims to have signed, nothing more. Handing it to a verifier as its key is GHSA-fx35-mq7g-6g98: an
 * attacker replaces file, signature and key together. Hence only certificates become material here; they must chain to the trusted root.
 */
import { bytesToBase64 } from '../base64.ts'
import { fromUtf8, hexToBytes, utf8 } from '../bytes.ts'
import { parseEnvelope } from '../dsse/envelope.ts'
import { CountersignError } from '../failure.ts'
import { maxDocumentBytes, parseJsonAs } from '../json/parse.ts'
import {
  base64Bytes,
  count,
  documentPlace,
  isAbsent,
  nonEmptyText,
  openMembers,
  optional,
  refuse,
  text,
  placed,
  rootPlace,
  type Place,
} from '../json/shape.ts'
import { decodePem } from '../pem.ts'
import type { SignedContent, SignedEntity, TransparencyLogEntry, VerificationMaterial } from './model.ts'

/** Annotation keys of a legacy signature or attestation layer. */
export const legacyAnnotation = {
  signature: 'dev.cosignproject.cosign/signature',
  certificate: 'dev.sigstore.cosign/certificate',
  chain: 'dev.sigstore.cosign/chain',
  timestamp: 'dev.sigstore.cosign/rfc3161timestamp',
  rekorBundle: 'dev.sigstore.cosign/bundle',
} as const

const code = 'bundle_malformed'
const maxBytes = maxDocumentBytes
const maxCertificates = 10

/** Whether a document is a legacy blob bundle rather than a Sigstore bundle: by the field that only the former has. */
export function isLegacyBundle(document: Uint8Array | string): boolean {
  const { value } = parseJsonAs(code, 'the bundle', document, { maxBytes })
  return typeof value === 'object' && value !== null && !Array.isArray(value) && 'base64Signature' in value
}

/**
 * Reads a legacy blob bundle: of a file (the signature is over the file) or of an attestation (the signature is a whole DSSE envelope).
 * Nothing is verified. Throws `bundle_malformed`, `dsse_malformed`.
 */
export function parseLegacyBundle(document: Uint8Array | string): SignedEntity {
  const { value } = parseJsonAs(code, 'the legacy bundle', document, { maxBytes })
  const field = openMembers(documentPlace(value, code))
  const signature = base64Bytes(field('base64Signature'))
  const content: SignedContent = looksLikeEnvelope(signature)
    ? { kind: 'dsse', envelope: parseEnvelope(signature), document: signature }
    : { kind: 'message', signature }
  return {
    material: readCert(field('cert')),
    logEntries: optional(field('rekorBundle'), (place) => [readRekorBundle(place)]) ?? [],
    timestamps: optional(field('rfc3161Timestamp'), (place) => [readTimestamp(place)]) ?? [],
    content,
  }
}

/** The legacy blob bundle as cosign writes it. `certPem` is the signer's certificate or public key, PEM. */
export function serializeLegacyBundle(signature: Uint8Array, certPem: string): Uint8Array {
  return utf8(JSON.stringify({ base64Signature: bytesToBase64(signature), cert: bytesToBase64(utf8(certPem)) }))
}

/** A layer of a legacy manifest: its blob and its annotations. */
export type LegacyLayerContent = {
  readonly kind: 'signature' | 'attestation'
  readonly blob: Uint8Array
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * Reads a layer of a `.sig` or `.att` manifest, or of its OCI 1.1 variant. Nothing is verified. Throws `bundle_malformed`, `dsse_malformed`.
 */
export function readLegacyLayer(layer: LegacyLayerContent): SignedEntity {
  const at = (name: string): Place => {
    const value = Object.hasOwn(layer.annotations, name) ? layer.annotations[name] : undefined
    return rootPlace(value, code, `annotations[${JSON.stringify(name)}]`)
  }
  const timestamp = jsonAnnotation(at(legacyAnnotation.timestamp))
  const rekorBundle = jsonAnnotation(at(legacyAnnotation.rekorBundle))
  const content: SignedContent =
    layer.kind === 'attestation'
      ? { kind: 'dsse', envelope: parseEnvelope(layer.blob), document: layer.blob }
      : { kind: 'simple-signing', payload: layer.blob, signature: base64Bytes(at(legacyAnnotation.signature)) }
  return {
    material: certificateMaterial(at(legacyAnnotation.certificate), at(legacyAnnotation.chain)),
    logEntries: rekorBundle === undefined ? [] : [readRekorBundle(rekorBundle)],
    timestamps: timestamp === undefined ? [] : [readTimestamp(timestamp)],
    content,
  }
}

/** The `cert` field: PEM, in base64 since cosign 1.4; a certificate (with or without its chain), or a public key, which is dropped. */
function readCert(at: Place): VerificationMaterial {
  if (isAbsent(at) || at.value === '') return { kind: 'public-key' }
  const cert = text(at)
  const pem = cert.startsWith('-----BEGIN ') ? cert : reading(at, () => fromUtf8(base64Bytes(at)))
  const blocks = reading(at, () => decodePem(pem))
  if (blocks.every((block) => block.label === 'PUBLIC KEY')) return { kind: 'public-key' }
  return chainOf(at, pem)
}

function certificateMaterial(certificate: Place, chain: Place): VerificationMaterial {
  if (isAbsent(certificate) || certificate.value === '') return { kind: 'public-key' }
  // cosign writes an empty chain for a self-signed root.
  return chainOf(certificate, `${text(certificate)}\n${isAbsent(chain) ? '' : text(chain)}`)
}

function chainOf(at: Place, pem: string): VerificationMaterial {
  const [leaf, ...others] = reading(at, () => decodePem(pem, 'CERTIFICATE')).map((block) => block.bytes)
  if (leaf === undefined) return refuse(at, 'no certificate')
  if (others.length >= maxCertificates) refuse(at, `${others.length + 1} certificates`, { expected: `at most ${maxCertificates}` })
  return { kind: 'certificate', chain: [leaf, ...others] }
}

/** cosign's `RekorBundle`: a signed entry timestamp and what it is over. The kind stands in the body alone. */
function readRekorBundle(at: Place): TransparencyLogEntry {
  const field = openMembers(at)
  const payload = openMembers(field('Payload'))
  const canonicalizedBody = base64Bytes(payload('body'))
  const { value } = parseJsonAs(code, `${at.path}.Payload.body`, canonicalizedBody, { maxBytes })
  const body = openMembers(placed(payload('body'), value))
  return {
    logIndex: count(payload('logIndex')),
    logId: reading(payload('logID'), () => hexToBytes(nonEmptyText(payload('logID')))),
    kind: nonEmptyText(body('kind')),
    version: nonEmptyText(body('apiVersion')),
    integratedTime: count(payload('integratedTime')),
    signedEntryTimestamp: base64Bytes(field('SignedEntryTimestamp')),
    canonicalizedBody,
  }
}

function readTimestamp(at: Place): Uint8Array {
  return base64Bytes(openMembers(at)('SignedRFC3161Timestamp'))
}

/** Annotations are strings; some of them hold JSON. */
function jsonAnnotation(at: Place): Place | undefined {
  const document = optional(at, text)
  if (document === undefined || document === '') return undefined
  return placed(at, parseJsonAs(code, at.path, document, { maxBytes }).value)
}

/** No signature begins and ends like this but by an accident of 2^-24; cosign's envelopes do. */
function looksLikeEnvelope(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7b && bytes[1] === 0x22 && bytes.at(-1) === 0x7d
}

function reading<T>(at: Place, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError(at.code, `${at.path}: ${cause.message}`, { cause })
  }
}
