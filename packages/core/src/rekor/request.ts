/**
 * Requests to a Rekor v2 log (sigstore/rekor-tiles, api/proto/rekor/v2/{entry,hashedrekord,dsse,verifier}.proto) in protojson.
 *
 * Hostile: anyone may send them. protojson knows each field under two names, lowerCamelCase and that of the proto file; both together are
 * refused, as is every other field, since it may change the meaning of the known ones.
 */
import { preAuthEncoding } from '../dsse/envelope.ts'
import { hashLength } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { parseJsonAs } from '../json/parse.ts'
import {
  base64Bytes,
  documentPlace,
  isAbsent,
  items,
  members,
  nonEmptyText,
  optional,
  refuse,
  text,
  type Members,
  type Place,
} from '../json/shape.ts'
import { parsePublicKey } from '../keys/public-key.ts'
import type { SyncHash } from '../merkle/tree.ts'
import { parseCertificate } from '../x509/certificate.ts'
import type { EntrySigner, ProposedEntry } from './entry.ts'
import { defaultKeyDetails, keyDetailsFor } from './key-details.ts'

/** Bytes of the largest request, as in the reference (4 MiB, gRPC's default). */
export const maxRequestBytes: number = 4 * 1024 * 1024
/** The signature of RSA with 4096 bits has 512 bytes. */
const maxSignatureBytes = 1024
const malformed = 'log_entry_malformed'

/**
 * Reads a `CreateEntryRequest`. A DSSE request becomes a `hashedrekord` over the hash of its pre-authentication encoding: rekor-tiles 2
 * refuses it, sigstore-js up to 5 still sends it, and verifiers accept this entry for an envelope. Throws `log_entry_malformed`; `key_unsupported`
 * and `certificate_malformed` come as its cause.
 */
export function parseCreateEntryRequest(primitives: SyncHash, document: Uint8Array): ProposedEntry {
  const { value } = parseJsonAs(malformed, 'the request', document, { maxBytes: maxRequestBytes, maxDepth: 16, maxValues: 1024 })
  const field = protoMembers(documentPlace(value, malformed), ['hashedRekordRequestV002', 'dsseRequestV002'])
  const [hashedrekord, dsse] = [field('hashedRekordRequestV002'), field('dsseRequestV002')]
  if (isAbsent(hashedrekord) === isAbsent(dsse)) {
    throw new CountersignError(malformed, 'invalid type, must be hashedrekord', {
      expected: 'one of hashedRekordRequestV002 and dsseRequestV002',
    })
  }
  return isAbsent(dsse) ? readHashedrekord(hashedrekord) : readDsse(primitives, dsse)
}

function readHashedrekord(at: Place): ProposedEntry {
  const field = protoMembers(at, ['digest', 'signature'])
  const signature = protoMembers(field('signature'), ['content', 'verifier'])
  const { signer, algorithm } = readVerifier(signature('verifier'))
  const digest = base64Bytes(field('digest'))
  if (digest.length !== hashLength[algorithm.hash]) {
    refuse(field('digest'), 'the digest is not one of the algorithm', {
      expected: `${hashLength[algorithm.hash]} bytes`,
      found: `${digest.length} bytes`,
    })
  }
  return { algorithm, digest, signature: readSignature(signature('content')), signer }
}

function readDsse(primitives: SyncHash, at: Place): ProposedEntry {
  const field = protoMembers(at, ['envelope', 'verifiers'])
  const envelope = protoMembers(field('envelope'), ['payload', 'payloadType', 'signatures'])
  const [signature, ...more] = items(envelope('signatures'), 1).map((item) => protoMembers(item, ['sig', 'keyid']))
  if (signature === undefined || more.length > 0) return refuse(envelope('signatures'), 'expected exactly one signature')
  optional(signature('keyid'), text)
  const [verifier, ...others] = items(field('verifiers'), 1)
  if (verifier === undefined || others.length > 0) return refuse(field('verifiers'), 'expected exactly one verifier')
  const { signer, algorithm } = readVerifier(verifier)
  const payload = isAbsent(envelope('payload')) || text(envelope('payload')) === '' ? new Uint8Array(0) : base64Bytes(envelope('payload'))
  const digest = primitives.hash(algorithm.hash, preAuthEncoding(nonEmptyText(envelope('payloadType')), payload))
  return { algorithm, digest, signature: readSignature(signature('sig')), signer }
}

function readSignature(at: Place): Uint8Array {
  const signature = base64Bytes(at)
  return signature.length > maxSignatureBytes ? refuse(at, `a signature of ${signature.length} bytes`) : signature
}

function readVerifier(at: Place): Pick<ProposedEntry, 'signer' | 'algorithm'> {
  const field = protoMembers(at, ['publicKey', 'x509Certificate', 'keyDetails'])
  const [key, certificate] = [field('publicKey'), field('x509Certificate')]
  if (isAbsent(key) === isAbsent(certificate)) refuse(at, 'expected one of publicKey and x509Certificate')
  const place = isAbsent(key) ? certificate : key
  const raw = base64Bytes(protoMembers(place, ['rawBytes'])('rawBytes'))
  const signer = withPlace(place, (): EntrySigner => {
    if (place === key) return { kind: 'public-key', key: parsePublicKey(raw) }
    const parsed = parseCertificate(raw)
    return { kind: 'certificate', certificate: parsed, key: parsePublicKey(parsed.spki) }
  })
  const named = field('keyDetails')
  // Absent and unspecified are one value in proto3: the key says what it signs with.
  const name = isAbsent(named) ? undefined : text(named)
  if (name === undefined || name === 'PUBLIC_KEY_DETAILS_UNSPECIFIED') return { signer, algorithm: defaultKeyDetails(signer.key) }
  return { signer, algorithm: keyDetailsFor(name, signer.key) }
}

/** Failures of the readers of keys and certificates, under the request's own code and place. */
function withPlace<T>(at: Place, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError(malformed, `${at.path}: ${cause.message}`, { cause })
  }
}

/** Members under either of their protojson names. */
function protoMembers(at: Place, names: readonly string[]): Members {
  const field = members(at, [...names, ...names.map(protoName)])
  return (name) => {
    const [camel, snake] = [field(name), field(protoName(name))]
    if (protoName(name) === name || snake.value === undefined) return camel
    return camel.value === undefined ? snake : refuse(at, `${name} and ${protoName(name)} are the same field`)
  }
}

/** The name in the proto file; digits after a letter do not begin a word there. */
function protoName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
