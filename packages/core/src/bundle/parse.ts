/**
 * Sigstore bundle v0.1, v0.2 and v0.3 (protobuf-specs, sigstore_bundle.proto; client specification §5).
 *
 * A bundle is protojson; `json/shape.ts` says which of its spellings are accepted. What one verifier would ignore and another obey is refused
 * here: unknown fields, two arms of one choice, duplicate log entries or timestamps, material that the version does not have.
 */
import type { DsseEnvelope } from '../dsse/envelope.ts'
import { digestFromBytes, type Digest, type HashAlgorithm } from '../digest.ts'
import { CountersignError, unreachable } from '../failure.ts'
import { maxDocumentBytes, parseJsonAs } from '../json/parse.ts'
import {
  base64Bytes,
  documentPlace,
  isAbsent,
  members,
  nonEmptyText,
  oneOf,
  optional,
  optionalItems,
  refuse,
  text,
  type Members,
  type Place,
} from '../json/shape.ts'
import { readLogEntries } from './log-entry.ts'
import { readCertificates } from './certificates.ts'
import type { Bundle, SignedContent, SignedEntity, VerificationMaterial } from './model.ts'

/** Sizes beyond which a bundle is refused. */
const maxBytes = maxDocumentBytes
const maxTimestamps = 32
const maxSignatures = 32

/** SHA-2 functions as Sigstore's `HashAlgorithm` spells them. */
const hashNames: Readonly<Record<string, HashAlgorithm>> = { SHA2_256: 'sha256', SHA2_384: 'sha384', SHA2_512: 'sha512' }

/**
 * Reads a bundle; nothing is verified. Throws `bundle_malformed` (the text begins with the path of the field),
 * `bundle_version_unsupported`, or `dsse_signature_count` when an envelope has not exactly one signature.
 */
export function parseBundle(document: Uint8Array | string): Bundle {
  const { value } = parseJsonAs('bundle_malformed', 'the Sigstore bundle', document, { maxBytes })
  const root = documentPlace(value, 'bundle_malformed')
  const field = members(root, ['mediaType', 'verificationMaterial', 'messageSignature', 'dsseEnvelope'])
  const mediaType = nonEmptyText(field('mediaType'))
  const version = versionOf(field('mediaType'), mediaType)
  return { mediaType, version, ...readMaterial(field('verificationMaterial'), version), content: readContent(root, field) }
}

/** Two spellings of each version exist in the wild; sigstore-go and sigstore-js read both. */
function versionOf(at: Place, mediaType: string): Bundle['version'] {
  const match = /^application\/vnd\.dev\.sigstore\.bundle(?:\+json;version=([0-9.]{1,20})|\.v([0-9.]{1,20})\+json)$/.exec(mediaType)
  const version = match?.[1] ?? match?.[2]
  if (version === undefined) return refuse(at, 'not the media type of a Sigstore bundle', { found: mediaType.slice(0, 120) })
  if (version === '0.1' || version === '0.2' || version === '0.3') return version
  throw new CountersignError('bundle_version_unsupported', `the bundle has version ${version}`, {
    expected: '0.1, 0.2 or 0.3',
    found: version,
  })
}

function readMaterial(at: Place, version: Bundle['version']): Omit<SignedEntity, 'content'> {
  const field = members(at, ['publicKey', 'x509CertificateChain', 'certificate', 'tlogEntries', 'timestampVerificationData'])
  return {
    material: readSigner(at, field, version),
    logEntries: readLogEntries(field('tlogEntries'), version),
    timestamps: readTimestamps(field('timestampVerificationData')),
  }
}

function readSigner(at: Place, field: Members, version: Bundle['version']): VerificationMaterial {
  const arm = onlyArm(at, field, ['publicKey', 'x509CertificateChain', 'certificate'])
  switch (arm) {
    case 'publicKey': {
      const hint = optional(members(field(arm), ['hint'])('hint'), text)
      return hint === undefined || hint === '' ? { kind: 'public-key' } : { kind: 'public-key', hint }
    }
    case 'certificate':
      return { kind: 'certificate', chain: [base64Bytes(members(field(arm), ['rawBytes'])('rawBytes'))] }
    case 'x509CertificateChain':
      // Client specification §5.1: since v0.3 the bundle carries the leaf alone, so that no anchor can be smuggled in.
      if (version === '0.3') refuse(field(arm), 'a v0.3 bundle has no certificate chain', { expected: 'certificate or publicKey' })
      return { kind: 'certificate', chain: readCertificates(members(field(arm), ['certificates'])('certificates')) }
    default:
      return unreachable(arm)
  }
}

function readTimestamps(at: Place): readonly Uint8Array[] {
  if (isAbsent(at)) return []
  const list = optionalItems(members(at, ['rfc3161Timestamps'])('rfc3161Timestamps'), maxTimestamps)
  const seen = new Set<string>()
  return list.map((item) => {
    const field = members(item, ['signedTimestamp'])
    const encoded = text(field('signedTimestamp'))
    // A timestamp given twice must not count as two.
    if (seen.has(encoded)) refuse(item, 'the same timestamp twice')
    seen.add(encoded)
    return base64Bytes(field('signedTimestamp'))
  })
}

function readContent(root: Place, field: Members): SignedContent {
  const arm = onlyArm(root, field, ['messageSignature', 'dsseEnvelope'])
  return arm === 'messageSignature' ? readMessage(field(arm)) : { kind: 'dsse', envelope: readEnvelope(field(arm)) }
}

function readMessage(at: Place): SignedContent {
  const field = members(at, ['messageDigest', 'signature'])
  const claimedDigest = optional(field('messageDigest'), readDigest)
  const signature = base64Bytes(field('signature'))
  return claimedDigest === undefined ? { kind: 'message', signature } : { kind: 'message', claimedDigest, signature }
}

/** cosign writes an empty object for Ed25519 keys: no claim at all, which a verifier that knows the artifact does not need. */
function readDigest(at: Place): Digest | undefined {
  const field = members(at, ['algorithm', 'digest'])
  if (isAbsent(field('algorithm')) && isAbsent(field('digest'))) return undefined
  const name = oneOf(field('algorithm'), Object.keys(hashNames))
  const digest = digestFromBytes(hashNames[name] as HashAlgorithm, base64Bytes(field('digest')))
  return digest ?? refuse(field('digest'), `not the length of a ${name} digest`)
}

function readEnvelope(at: Place): DsseEnvelope {
  const field = members(at, ['payload', 'payloadType', 'signatures'])
  const list = optionalItems(field('signatures'), maxSignatures)
  if (list.length !== 1) {
    throw new CountersignError('dsse_signature_count', `${at.path}.signatures: ${list.length} signatures`, { expected: 'exactly 1' })
  }
  const signatures = list.map((item) => {
    const signature = members(item, ['sig', 'keyid'])
    const sig = base64Bytes(signature('sig'))
    const keyid = optional(signature('keyid'), text)
    return keyid === undefined || keyid === '' ? { sig } : { sig, keyid }
  })
  return { payloadType: nonEmptyText(field('payloadType')), payload: base64Bytes(field('payload')), signatures }
}

/** Protobuf `oneof`: exactly one of the arms is there. */
function onlyArm<const Arm extends string>(at: Place, field: Members, arms: readonly Arm[]): Arm {
  const present = arms.filter((arm) => !isAbsent(field(arm)))
  const [arm, second] = present
  if (arm === undefined || second !== undefined) {
    return refuse(at, `${present.length} of these fields`, {
      expected: `exactly one of ${arms.join(', ')}`,
      found: present.join(', ') || 'none',
    })
  }
  return arm
}
