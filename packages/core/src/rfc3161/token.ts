/** Timestamp responses and the TSTInfo inside (RFC 3161 §2.4.2), read strictly; nothing here is verified. */
import { parseSignedData, readContentInfo, type SignedData } from '../cms/signed-data.ts'
import { cmsOid } from '../cms/oids.ts'
import { derMalformed } from '../der/element.ts'
import {
  derTag,
  isContext,
  isUniversal,
  parseDer,
  readBoolean,
  readExplicit,
  readGeneralizedTimeMs,
  readInteger,
  readOctetString,
  readOid,
  readSequence,
  readSmallInteger,
  readUtf8String,
  smallIntegerFromContent,
  withDerCode,
  type DerNode,
} from '../der/reader.ts'
import { hashLength, type HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { hashOfIdentifier, readAlgorithmIdentifier } from '../x509/algorithm-identifier.ts'
import { readExtensions } from '../x509/extensions.ts'

/** What a timestamp authority says: this imprint existed at this time. */
export type TimestampInfo = {
  /** OID of the policy under which the authority works. */
  readonly policy: string
  readonly imprint: { readonly hash: HashAlgorithm; readonly digest: Uint8Array }
  /** Serial number of the timestamp: content of the INTEGER. */
  readonly serial: Uint8Array
  /** Unix milliseconds; a finer fraction is cut. */
  readonly genTimeMs: number
  /** How far the time may be off, either way; whole milliseconds, rounded up. */
  readonly accuracyMs?: number
  /** Content of the INTEGER. */
  readonly nonce?: Uint8Array
  /** The GeneralName by which the authority calls itself, DER. A hint, never trusted. */
  readonly tsa?: Uint8Array
}

/** A timestamp token: TSTInfo and the CMS around it. */
export type TimestampToken = {
  readonly info: TimestampInfo
  /** TSTInfo, DER: the content that is signed. */
  readonly infoDer: Uint8Array
  readonly signedData: SignedData
}

/** A TimeStampResp that grants a timestamp. */
export type TimestampResponse = {
  readonly status: 'granted' | 'granted-with-modifications'
  readonly token: TimestampToken
}

/** Largest response that is read, in bytes. */
export const maxTimestampBytes: number = 64 * 1024

const limits = { maxBytes: maxTimestampBytes, maxDepth: 32 }

/**
 * Reads a TimeStampResp, DER. Throws `timestamp_malformed` when it is not one or when the authority granted no timestamp (its reason is
 * in the text), `der_too_large` and `der_too_deep` at the limits.
 */
export function parseTimestampResponse(der: Uint8Array): TimestampResponse {
  return withDerCode('timestamp_malformed', 'not a timestamp response', () => {
    const [statusInfo, token, extra] = readSequence(parseDer(der, limits))
    if (extra !== undefined) throw derMalformed('TimeStampResp has too many fields')
    const status = readStatus(statusInfo)
    return { status, token: readToken(readContentInfo(token)) }
  })
}

/** Reads a bare TimeStampToken, DER, as CMS attributes carry it. Throws as `parseTimestampResponse` does. */
export function parseTimestampToken(der: Uint8Array): TimestampToken {
  if (der.length > maxTimestampBytes) {
    throw new CountersignError('der_too_large', `${der.length} bytes of timestamp are more than the limit of ${maxTimestampBytes}`)
  }
  return withDerCode('timestamp_malformed', 'not a timestamp token', () => {
    try {
      return readToken(parseSignedData(der))
    } catch (cause) {
      if (!(cause instanceof CountersignError) || cause.code !== 'cms_malformed') throw cause
      throw new CountersignError('timestamp_malformed', cause.message, { cause })
    }
  })
}

/** RFC 3161 §2.4.2, PKIStatusInfo: 0 granted, 1 granted with modifications, others refuse. */
function readStatus(node: DerNode | undefined): TimestampResponse['status'] {
  const [status, ...rest] = readSequence(node)
  const number = readSmallInteger(status)
  if (number === 0) return 'granted'
  if (number === 1) return 'granted-with-modifications'
  const text = isUniversal(rest[0], derTag.sequence) ? readSequence(rest[0]).slice(0, 4).map(readUtf8String).join('; ').slice(0, 500) : ''
  throw new CountersignError('timestamp_malformed', 'the timestamp authority granted no timestamp', {
    expected: 'status 0 or 1',
    found: `status ${number}${text && `: ${JSON.stringify(text)}`}`,
  })
}

function readToken(signedData: SignedData): TimestampToken {
  if (signedData.contentType !== cmsOid.tstInfo) throw derMalformed('the signed content is not a TSTInfo')
  const infoDer = signedData.content
  if (infoDer === undefined) throw derMalformed('the token has no content')
  return { info: readInfo(parseDer(infoDer)), infoDer, signedData }
}

function readInfo(node: DerNode): TimestampInfo {
  const [version, policy, imprint, serial, genTime, ...optional] = readSequence(node)
  if (readSmallInteger(version) !== 1) throw derMalformed('TSTInfo of unknown version')
  return {
    policy: readOid(policy),
    imprint: readImprint(imprint),
    serial: readInteger(serial),
    genTimeMs: readGeneralizedTimeMs(genTime),
    ...readOptional([...optional]),
  }
}

function readImprint(node: DerNode | undefined): TimestampInfo['imprint'] {
  const [algorithm, digest, extra] = readSequence(node)
  const hash = hashOfIdentifier(readAlgorithmIdentifier(algorithm))
  const bytes = readOctetString(digest)
  // SHA-1 imprints are refused here: a collision would put one timestamp on two signatures.
  if (extra !== undefined || hash === undefined) throw derMalformed('the imprint is not by SHA-256, SHA-384 or SHA-512')
  if (bytes.length !== hashLength[hash]) throw derMalformed('the imprint has a wrong length')
  return { hash, digest: bytes }
}

/** accuracy, ordering, nonce, tsa [0], extensions [1]: each optional, in this order. */
function readOptional(fields: DerNode[]): Pick<TimestampInfo, 'accuracyMs' | 'nonce' | 'tsa'> {
  const take = (present: boolean): DerNode | undefined => (present ? fields.shift() : undefined)
  const accuracy = take(isUniversal(fields[0], derTag.sequence))
  const ordering = take(isUniversal(fields[0], derTag.boolean))
  const nonce = take(isUniversal(fields[0], derTag.integer))
  const tsa = take(isContext(fields[0], 0))
  const extensions = take(isContext(fields[0], 1))
  if (fields.length > 0) throw derMalformed('TSTInfo has unknown fields')
  if (ordering) readBoolean(ordering)
  if (extensions) refuseCritical(extensions)
  return {
    ...(accuracy && { accuracyMs: readAccuracyMs(accuracy) }),
    ...(nonce && { nonce: readInteger(nonce) }),
    ...(tsa && { tsa: readExplicit(tsa, 0).raw }),
  }
}

function readAccuracyMs(node: DerNode): number {
  const fields = [...readSequence(node)]
  const seconds = isUniversal(fields[0], derTag.integer) ? readSmallInteger(fields.shift()) : 0
  const part = (tag: number): number => {
    if (!isContext(fields[0], tag)) return 0
    const value = smallIntegerFromContent((fields.shift() as DerNode).content)
    if (value < 1 || value > 999) throw derMalformed('a part of the accuracy is not from 1 to 999')
    return value
  }
  const [millis, micros] = [part(0), part(1)]
  if (fields.length > 0 || seconds > 1e9) throw derMalformed('the accuracy has unknown fields')
  return seconds * 1000 + millis + (micros > 0 ? 1 : 0)
}

/** RFC 3161 §2.4.2: extensions follow RFC 5280, where an unknown critical one forbids the use. None is known. */
function refuseCritical(node: DerNode): void {
  const sequence = parseDer(Uint8Array.of(0x30, ...node.raw.subarray(1)))
  for (const extension of readExtensions(sequence).values()) {
    if (extension.critical) throw derMalformed(`TSTInfo has the critical extension ${extension.oid}, which is not supported`)
  }
}
