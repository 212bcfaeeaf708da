/** Reads timestamp requests from anyone: DER (RFC 3161 §2.4.1), and the JSON that Sigstore's clients may send instead. */
import { derMalformed } from '../der/element.ts'
import {
  derTag,
  isContext,
  isUniversal,
  parseDer,
  readBoolean,
  readInteger,
  readOctetString,
  readOid,
  readSequence,
  readSmallInteger,
  withDerCode,
  type DerNode,
} from '../der/reader.ts'
import { derInteger, derNull, derOctetString, derOid, derSequence } from '../der/writer.ts'
import { hashLength, type HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { parseJsonAs } from '../json/parse.ts'
import { base64Bytes, documentPlace, members, oneOf, optional, refuse, text, type Place } from '../json/shape.ts'
import { hashOfIdentifier, readAlgorithmIdentifier } from '../x509/algorithm-identifier.ts'
import { algorithmOid } from '../x509/oids.ts'

/** A request as an authority answers it: what is repeated in the answer is kept as it was written. */
export type ReadTimestampRequest = {
  /** MessageImprint, DER: SHA-256, SHA-384 or SHA-512, of the right length. */
  readonly imprint: Uint8Array
  readonly hash: HashAlgorithm
  /** The policy that is asked for, dotted. */
  readonly policy?: string
  /** INTEGER, DER, of either sign. */
  readonly nonce?: Uint8Array
  /** Whether the answer shall embed the authority's certificates. */
  readonly certReq: boolean
}

/** Largest request that is read, in bytes. */
export const maxTimestampRequestBytes: number = 4096

const limits = { maxBytes: maxTimestampRequestBytes, maxDepth: 8 }
const malformed = 'timestamp_request_malformed'

/**
 * Reads a TimeStampReq, DER. Throws `timestamp_request_malformed`; `timestamp_digest_refused` for SHA-1, another hash or a wrong length;
 * `timestamp_extension_refused` for any extension, critical or not, since none is known (§2.4.1 forbids to stamp then); and the limits of DER.
 */
export function parseTimestampRequest(der: Uint8Array): ReadTimestampRequest {
  return withDerCode(malformed, 'not a timestamp request', () => {
    const [version, imprint, ...rest] = readSequence(parseDer(der, limits))
    if (readSmallInteger(version) !== 1) throw derMalformed('a request of unknown version')
    const hash = readImprintHash(imprint)
    const take = (present: boolean): DerNode | undefined => (present ? rest.shift() : undefined)
    const policy = take(isUniversal(rest[0], derTag.oid))
    const nonce = take(isUniversal(rest[0], derTag.integer))
    const certReq = take(isUniversal(rest[0], derTag.boolean))
    const extensions = take(isContext(rest[0], 0))
    if (rest.length > 0) throw derMalformed('a request has unknown fields')
    if (extensions !== undefined) {
      throw new CountersignError('timestamp_extension_refused', 'the request has extensions, and none is known here')
    }
    if (nonce !== undefined) readInteger(nonce)
    return {
      imprint: (imprint as DerNode).raw,
      hash,
      ...(policy && { policy: readOid(policy) }),
      ...(nonce && { nonce: nonce.raw }),
      // X.690 §11.5 forbids to write the default; clients that write FALSE are understood all the same.
      certReq: certReq !== undefined && readBoolean(certReq),
    }
  })
}

function readImprintHash(node: DerNode | undefined): HashAlgorithm {
  const [algorithm, digest, extra] = readSequence(node)
  if (extra !== undefined) throw derMalformed('a MessageImprint has two fields')
  const identifier = readAlgorithmIdentifier(algorithm)
  const hash = hashOfIdentifier(identifier)
  const bytes = readOctetString(digest)
  if (hash === undefined) throw digestRefused(`the hash algorithm ${identifier.oid}`)
  if (bytes.length !== hashLength[hash]) throw digestRefused(`${bytes.length} bytes for ${hash}`)
  return hash
}

/** RFC 3161 §2.4.2, badAlg. A collision of SHA-1 would put one timestamp on two signatures. */
function digestRefused(found: string): CountersignError {
  return new CountersignError('timestamp_digest_refused', 'only whole digests by SHA-256, SHA-384 and SHA-512 are stamped', { found })
}

const jsonFields = ['artifactHash', 'hashAlgorithm', 'certificates', 'nonce', 'tsaPolicyOID'] as const

/**
 * Reads the JSON form: `{"artifactHash": base64, "hashAlgorithm": "sha256" | "sha384" | "sha512", "certificates"?: boolean, "nonce"?: integer,
 * "tsaPolicyOID"?: dotted}`. A nonce may exceed what a double holds. Throws as `parseTimestampRequest` does.
 */
export function parseTimestampRequestJson(document: Uint8Array): ReadTimestampRequest {
  const { value, sources } = parseJsonAs(malformed, 'the timestamp request', document, { maxBytes: maxTimestampRequestBytes, maxDepth: 4 })
  const field = members(documentPlace(value, malformed), jsonFields)
  const name = text(field('hashAlgorithm'))
  if (!Object.hasOwn(hashLength, name)) throw digestRefused(JSON.stringify(name.slice(0, 40)))
  const hash = oneOf(field('hashAlgorithm'), Object.keys(hashLength) as HashAlgorithm[])
  const digest = base64Bytes(field('artifactHash'))
  if (digest.length !== hashLength[hash]) throw digestRefused(`${digest.length} bytes for ${hash}`)
  const policy = optional(field('tsaPolicyOID'), text)
  const nonce = optional(field('nonce'), (at) => readNonce(at, sources.get('nonce')))
  return {
    imprint: derSequence(derSequence(derOid(algorithmOid[hash]), derNull()), derOctetString(digest)),
    hash,
    // Go writes an absent policy as an empty string.
    ...(policy === undefined || policy === '' ? {} : { policy: checkOid(field('tsaPolicyOID'), policy) }),
    ...(nonce && { nonce }),
    certReq: optional(field('certificates'), boolean) ?? false,
  }
}

function boolean(at: Place): boolean {
  return typeof at.value === 'boolean' ? at.value : refuse(at, 'expected true or false')
}

/** The digits as they stand: a double would round them, and the answer to a rounded nonce is no answer. */
function readNonce(at: Place, source: string | undefined): Uint8Array {
  if (source === undefined || !/^-?[0-9]{1,154}$/.test(source)) return refuse(at, 'expected an integer of at most 154 digits')
  return derInteger(BigInt(source))
}

function checkOid(at: Place, dotted: string): string {
  try {
    derOid(dotted)
    return dotted
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return refuse(at, 'not an object identifier', { cause })
  }
}
