/** Timestamp requests (RFC 3161 §2.4.1). */
import { derBoolean, derInteger, derNull, derOctetString, derOid, derSequence, derUnsignedInteger } from '../der/writer.ts'
import { hashLength, type HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { algorithmOid } from '../x509/oids.ts'

/** What a request asks for. */
export type TimestampRequest = {
  readonly hash: HashAlgorithm
  /** The digest to be stamped, of the length of `hash`. */
  readonly digest: Uint8Array
  /** Random bytes, read as a non-negative number; the answer repeats it. */
  readonly nonce?: Uint8Array
  /** Whether the answer shall embed the authority's certificate. */
  readonly certReq: boolean
}

/** A TimeStampReq, DER. Throws `digest_malformed` when the digest has not the length of its hash. */
export function encodeTimestampRequest(request: TimestampRequest): Uint8Array {
  const { hash, digest, nonce, certReq } = request
  if (digest.length !== hashLength[hash]) {
    throw new CountersignError('digest_malformed', `a ${hash} digest of ${digest.length} bytes`, { expected: `${hashLength[hash]} bytes` })
  }
  const imprint = derSequence(derSequence(derOid(algorithmOid[hash]), derNull()), derOctetString(digest))
  // X.690 §11.5: certReq FALSE is the default and therefore not written.
  const optional = [...(nonce ? [derUnsignedInteger(nonce)] : []), ...(certReq ? [derBoolean(true)] : [])]
  return derSequence(derInteger(1), imprint, ...optional)
}
