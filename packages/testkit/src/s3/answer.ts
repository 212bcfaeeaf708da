/** What the test store answers, once a request has passed its signature: put, get, delete, list. */
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** What is stored. */
export type S3Object = { readonly body: Uint8Array; readonly metadata: Readonly<Record<string, string>> }

/** A request, its body read. `target` is the path with its query. */
export type S3Request = {
  readonly method: string
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly body: Uint8Array
}

/** An answer. */
export type S3Answer = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array }

/** How the store behaves. */
export type S3Settings = { readonly pageSize: number; readonly ignoresConditions: boolean }

/** Answers a request to the bucket, and changes what is stored. */
export function answerRequest(request: S3Request, objects: Map<string, S3Object>, settings: S3Settings): S3Answer {
  const url = new URL(request.target, 'http://store')
  const [, bucket = '', ...rest] = url.pathname.split('/')
  if (bucket !== 'bucket') return s3Error(404, 'NoSuchBucket')
  const key = decodeURIComponent(rest.join('/'))
  if (key === '') return request.method === 'GET' ? list(url.searchParams, objects, settings.pageSize) : s3Error(405, 'MethodNotAllowed')
  switch (request.method) {
    case 'PUT':
      return put(key, request, objects, settings)
    case 'GET':
    case 'HEAD':
      return get(key, objects)
    case 'DELETE':
      objects.delete(key)
      return { status: 204, headers: {}, body: new Uint8Array() }
    default:
      return s3Error(405, 'MethodNotAllowed')
  }
}

function put(key: string, { headers, body }: S3Request, objects: Map<string, S3Object>, settings: S3Settings): S3Answer {
  const condition = headers['if-none-match']
  if (condition !== undefined && condition !== '*') return s3Error(501, 'NotImplemented')
  if (headers['if-match'] !== undefined) return s3Error(501, 'NotImplemented')
  const checksum = headers['x-amz-checksum-sha256']
  if (checksum !== undefined && checksum !== createHash('sha256').update(body).digest('base64')) return s3Error(400, 'BadDigest')
  if (condition === '*' && objects.has(key) && !settings.ignoresConditions) return s3Error(412, 'PreconditionFailed')
  const metadata = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'))
  objects.set(key, { body, metadata: Object.fromEntries(metadata.map(([name, value]) => [name, String(value)])) })
  return { status: 200, headers: { etag: etagOf(body) }, body: new Uint8Array() }
}

function get(key: string, objects: Map<string, S3Object>): S3Answer {
  const object = objects.get(key)
  if (object === undefined) return s3Error(404, 'NoSuchKey')
  return {
    status: 200,
    headers: { ...object.metadata, etag: etagOf(object.body), 'content-type': 'application/octet-stream' },
    body: object.body,
  }
}

/** ListObjectsV2. The token is the last name of the page before, veiled so that nobody takes it for one. */
function list(query: URLSearchParams, objects: Map<string, S3Object>, pageSize: number): S3Answer {
  if (query.get('list-type') !== '2') return s3Error(501, 'NotImplemented')
  const prefix = query.get('prefix') ?? ''
  const token = query.get('continuation-token')
  const after = token === null ? '' : Buffer.from(token, 'base64url').toString()
  const limit = Math.min(pageSize, Number(query.get('max-keys') ?? '1000'))
  const names = [...objects.keys()].filter((name) => name.startsWith(prefix) && name > after).sort()
  const page = names.slice(0, limit)
  const more = names.length > page.length
  const contents = page.map((name) => `<Contents><Key>${escaped(name)}</Key><Size>${objects.get(name)?.body.length ?? 0}</Size></Contents>`)
  const next = more ? `<NextContinuationToken>${Buffer.from(page.at(-1) ?? '').toString('base64url')}</NextContinuationToken>` : ''
  const xml = `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><KeyCount>${page.length}</KeyCount><IsTruncated>${more}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: Buffer.from(xml) }
}

/** An error as S3 words it. */
export function s3Error(status: number, code: string): S3Answer {
  return {
    status,
    headers: { 'content-type': 'application/xml' },
    body: Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`),
  }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function etagOf(body: Uint8Array): string {
  return `"${createHash('md5').update(body).digest('hex')}"`
}
