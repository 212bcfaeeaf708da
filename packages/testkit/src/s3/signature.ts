/** AWS Signature Version 4, as a strict server checks it (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** Who may ask. */
export type S3Credentials = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly region: string }

const authorization =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/

/** The error code that S3 would answer with, or `undefined` when the request is signed as it should be. */
export function signatureFault(request: IncomingMessage, body: Uint8Array, credentials: S3Credentials, now: number): string | undefined {
  const header = request.headers.authorization
  if (header === undefined) return 'AccessDenied'
  const [, keyId, day, region, names, signature] = authorization.exec(header) ?? []
  const at = request.headers['x-amz-date']
  if (keyId === undefined || day === undefined || names === undefined || signature === undefined || typeof at !== 'string')
    return 'AuthorizationHeaderMalformed'
  if (keyId !== credentials.accessKeyId) return 'InvalidAccessKeyId'
  if (region !== credentials.region || !at.startsWith(day)) return 'AuthorizationHeaderMalformed'
  if (Math.abs(timeOf(at) - now) > 15 * 60_000) return 'RequestTimeTooSkewed'
  const signed = names.split(';')
  if (unsignedHeaders(request, signed).length > 0) return 'AccessDenied'
  const payload = request.headers['x-amz-content-sha256']
  if (payload !== 'UNSIGNED-PAYLOAD' && payload !== sha256(body)) return 'XAmzContentSHA256Mismatch'
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const headers = signed.map((name) => `${name}:${String(request.headers[name] ?? '').trim()}\n`).join('')
  const canonical = [request.method, path, canonicalQuery(query), headers, names, payload].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const expected = hmac(signingKey(credentials.secretAccessKey, day, region), `AWS4-HMAC-SHA256\n${at}\n${scope}\n${sha256(canonical)}`)
  return timingSafeEqual(expected, Buffer.from(signature, 'hex')) ? undefined : 'SignatureDoesNotMatch'
}

/** What must be signed and is not: the host, every x-amz- field, and every condition, which someone on the way could take out. */
function unsignedHeaders(request: IncomingMessage, signed: readonly string[]): readonly string[] {
  const must = Object.keys(request.headers).filter((name) => name === 'host' || name.startsWith('x-amz-') || name.startsWith('if-'))
  return must.filter((name) => !signed.includes(name))
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
    .sort()
    .join('&')
}

function timeOf(at: string): number {
  return Date.parse(at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}

function signingKey(secret: string, day: string, region: string): Uint8Array {
  return [day, region, 's3', 'aws4_request'].reduce<Uint8Array>((key, part) => hmac(key, part), Buffer.from(`AWS4${secret}`))
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
