/**
 * Sigstore trusted root v0.1 (protobuf-specs, sigstore_trustroot.proto): the anchors of a verification, from a file that the verifier trusts.
 *
 * An unknown field is refused, as in bundles. A log whose key type the platform cannot use is left out, which refuses what needs it.
 */
import { bytesToBase64 } from '../base64.ts'
import { utf8 } from '../bytes.ts'
import type { HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { parseJsonAs } from '../json/parse.ts'
import {
  base64Bytes,
  documentPlace,
  items,
  members,
  nonEmptyText,
  oneOf,
  optional,
  optionalItems,
  refuse,
  text,
  type Place,
} from '../json/shape.ts'
import { algorithmByName, algorithmFor, suits } from '../keys/algorithm.ts'
import { parsePkcs1PublicKey, parsePublicKey, type PublicKey } from '../keys/public-key.ts'
import { readTimeRange, timeRangeJson } from './time-range.ts'
import type { AuthorityInstance, LogInstance, TrustedRoot } from './model.ts'

const maxBytes = 8 * 1024 * 1024
const maxInstances = 1_000
const maxCertificates = 20
const writtenMediaType = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1'
const mediaTypes = [
  writtenMediaType,
  'application/vnd.dev.sigstore.trustedroot.v0.1+json',
  // v0.2 changed only the selection of services that a signer uses; the fields are the same.
  'application/vnd.dev.sigstore.trustedroot.v0.2+json',
] as const

const hashNames: Readonly<Record<HashAlgorithm, string>> = { sha256: 'SHA2_256', sha384: 'SHA2_384', sha512: 'SHA2_512' }
const logFields = ['baseUrl', 'hashAlgorithm', 'publicKey', 'logId', 'checkpointKeyId', 'operator'] as const
const authorityFields = ['subject', 'uri', 'certChain', 'validFor', 'operator'] as const

/** Names of `PublicKeyDetails` that exist but that no log of ours may use: hash-based, post-quantum, or never written by anyone. */
const unusableKeys = [
  'PKCS1_RSA_PSS',
  'PKIX_RSA_PSS',
  'PKIX_ECDSA_P256_HMAC_SHA_256',
  'LMS_SHA256',
  'LMOTS_SHA256',
  'ML_DSA_44',
  'ML_DSA_65',
  'ML_DSA_87',
] as const

/** Reads a trusted root. Throws `trusted_root_malformed`; the text begins with the path of the field. */
export function parseTrustedRoot(document: Uint8Array | string): TrustedRoot {
  const code = 'trusted_root_malformed'
  const { value } = parseJsonAs(code, 'the trusted root', document, { maxBytes })
  const field = members(documentPlace(value, code), ['mediaType', 'tlogs', 'certificateAuthorities', 'ctlogs', 'timestampAuthorities'])
  oneOf(field('mediaType'), mediaTypes)
  return {
    logs: optionalItems(field('tlogs'), maxInstances).flatMap(readLog),
    certificateAuthorities: optionalItems(field('certificateAuthorities'), maxInstances).map(readAuthority),
    ctLogs: optionalItems(field('ctlogs'), maxInstances).flatMap(readLog),
    timestampAuthorities: optionalItems(field('timestampAuthorities'), maxInstances).map(readAuthority),
  }
}

/** The trusted root in one line, in cosign's field order; empty lists are left out. */
export function serializeTrustedRoot(root: TrustedRoot): Uint8Array {
  return utf8(
    JSON.stringify({
      mediaType: writtenMediaType,
      ...present('tlogs', root.logs.map(logJson)),
      ...present('certificateAuthorities', root.certificateAuthorities.map(authorityJson)),
      ...present('ctlogs', root.ctLogs.map(logJson)),
      ...present('timestampAuthorities', root.timestampAuthorities.map(authorityJson)),
    }),
  )
}

function readLog(at: Place): readonly LogInstance[] {
  const field = members(at, logFields)
  const key = members(field('publicKey'), ['rawBytes', 'keyDetails', 'validFor'])
  const validFor = readTimeRange(key('validFor'))
  const logId = base64Bytes(members(field('logId'), ['keyId'])('keyId'))
  optional(field('checkpointKeyId'), (place) => base64Bytes(members(place, ['keyId'])('keyId')))
  optional(field('operator'), text)
  const signer = readKey(key('rawBytes'), key('keyDetails'))
  if (signer === undefined) return []
  const hashName = oneOf(field('hashAlgorithm'), Object.values(hashNames))
  const hashAlgorithm = (Object.keys(hashNames) as HashAlgorithm[]).find((name) => hashNames[name] === hashName) as HashAlgorithm
  return [{ baseUrl: optional(field('baseUrl'), text) ?? '', hashAlgorithm, ...signer, validFor, logId }]
}

function readKey(at: Place, details: Place): Pick<LogInstance, 'publicKey' | 'algorithm'> | undefined {
  const name = nonEmptyText(details)
  const bytes = base64Bytes(at)
  // Deprecated names of logs that still verify old signatures: RSA with SHA-256, bare or in a SubjectPublicKeyInfo.
  if (name === 'PKCS1_RSA_PKCS1V5' || name === 'PKIX_RSA_PKCS1V5') {
    const publicKey = reading(at, () => (name === 'PKIX_RSA_PKCS1V5' ? parsePublicKey(bytes) : parsePkcs1PublicKey(bytes)))
    if (publicKey.type !== 'rsa') return refuse(details, `${name} does not fit a key of type ${publicKey.type}`)
    return { publicKey, algorithm: algorithmFor(publicKey, 'sha256').name }
  }
  const algorithm = algorithmByName(name)
  if (algorithm === undefined) {
    oneOf(details, unusableKeys)
    return undefined
  }
  const publicKey = reading(at, () => parsePublicKey(bytes))
  if (!suits(algorithm, publicKey)) refuse(details, `${name} does not fit a key of type ${publicKey.type}`)
  return { publicKey, algorithm: algorithm.name }
}

function reading(at: Place, read: () => PublicKey): PublicKey {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError(at.code, `${at.path}: ${cause.message}`, { cause })
  }
}

function readAuthority(at: Place): AuthorityInstance {
  const field = members(at, authorityFields)
  const subject = optional(field('subject'), (place) => members(place, ['organization', 'commonName']))
  const chain = members(field('certChain'), ['certificates'])('certificates')
  const certificates = items(chain, maxCertificates).map((item) => base64Bytes(members(item, ['rawBytes'])('rawBytes')))
  if (certificates.length === 0) refuse(chain, 'an empty certificate chain')
  optional(field('operator'), text)
  return {
    organization: subject === undefined ? '' : (optional(subject('organization'), text) ?? ''),
    commonName: subject === undefined ? '' : (optional(subject('commonName'), text) ?? ''),
    uri: optional(field('uri'), text) ?? '',
    certificates,
    validFor: readTimeRange(field('validFor')),
  }
}

function logJson(log: LogInstance): object {
  return {
    baseUrl: log.baseUrl,
    hashAlgorithm: hashNames[log.hashAlgorithm],
    publicKey: { rawBytes: bytesToBase64(log.publicKey.spki), keyDetails: log.algorithm, validFor: timeRangeJson(log.validFor) },
    logId: { keyId: bytesToBase64(log.logId) },
  }
}

function authorityJson(authority: AuthorityInstance): object {
  return {
    subject: { organization: authority.organization, commonName: authority.commonName },
    uri: authority.uri,
    certChain: { certificates: authority.certificates.map((der) => ({ rawBytes: bytesToBase64(der) })) },
    validFor: timeRangeJson(authority.validFor),
  }
}

function present(name: string, list: readonly object[]): object {
  return list.length === 0 ? {} : { [name]: list }
}
