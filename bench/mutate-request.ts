/** Seeded mutations of whole requests: bodies, paths, queries, methods, headers, framing. */
import { mutant, type Random } from './mutate.ts'
import { type RawRequest, wireBytes } from './raw-request.ts'

/** A mutant as bytes. `framed`: it is exactly one request, so that it can share a connection with others. */
export type RequestMutant = { readonly bytes: Uint8Array; readonly framed: boolean; readonly head: boolean; readonly what: string }

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'PROPFIND']
const types = [
  'application/json',
  'application/timestamp-query',
  'application/x-www-form-urlencoded',
  'text/plain; charset=utf-7',
  'application/json; charset=utf-16',
  'multipart/form-data; boundary=x',
  'application/octet-stream',
  '*/*',
  ';',
  'a'.repeat(300),
]
const headers: readonly (readonly [string, string])[] = [
  ['Accept', 'application/x-pem-file;q=0, */*;q=-1'],
  ['Accept-Encoding', 'gzip, br, identity;q=0'],
  ['Authorization', 'Bearer '],
  ['Authorization', `Bearer ${'A'.repeat(4000)}`],
  ['Authorization', 'Basic Og=='],
  ['Authorization', 'Basic JUZGOiVGRg=='],
  ['Content-Encoding', 'gzip'],
  ['Cookie', '_interaction=..; _session=%00; a=b; __proto__=x'],
  ['Origin', 'null'],
  ['Range', 'bytes=0-,5-1'],
  ['If-None-Match', '"*"'],
  ['If-Modified-Since', 'Thu, 99 Foo 9999 99:99:99'],
  ['X-Forwarded-For', '::ffff:999.1.1.1, \\'],
  ['X-Forwarded-Proto', 'javascript'],
  ['X-Forwarded-Host', 'evil.example'],
  ['X-Request-Id', '"<script>'],
  ['X-HTTP-Method-Override', 'DELETE'],
  ['Accept-Language', 'x'.repeat(2000)],
  ['Host', 'evil.example:99999'],
  ['DPoP', 'a.b.c'],
]
const pathParts = [
  '%00',
  '%2e%2e',
  '..',
  '%',
  '%zz',
  '//',
  '/',
  '%2f',
  ';a=b',
  '\\',
  '%ff',
  '*',
  '__proto__',
  'constructor',
  '999999999999999999999',
  '-1',
  '0x0',
  '000',
  '%f0%9f%92%a9',
  'x'.repeat(2000),
]
const queries = [
  'a[]=1',
  'logIndex=-1',
  'logIndex=1e99',
  'logIndex=9007199254740993',
  'logIndex=0&logIndex=1',
  'treeID=0',
  'firstSize=2&lastSize=1',
  'lastSize=99999999999999999999',
  'lastSize[$gt]=1',
  'client_id=x&client_id=y',
  'scope=%00',
  'state=%ff',
  '%',
  '=',
  '&&&',
  'code=__proto__',
  'request=a.b.c',
  'redirect_uri=javascript:alert(1)',
  'q='.padEnd(3000, 'x'),
]

type Change = (request: RawRequest, other: RawRequest, random: Random) => RawRequest

const one = <T>(list: readonly T[], random: Random): T => list[random.below(list.length)] as T

const changes: readonly (readonly [string, Change])[] = [
  ['path', (request, _, random) => ({ ...request, path: changedPath(request.path, random) })],
  ['path of another', (request, other) => ({ ...request, path: other.path })],
  [
    'query',
    (request, _, random) => ({ ...request, path: `${request.path}${request.path.includes('?') ? '&' : '?'}${one(queries, random)}` }),
  ],
  ['method', (request, _, random) => ({ ...request, method: one(methods, random) })],
  ['content type', (request, _, random) => withHeader(request, 'Content-Type', one(types, random))],
  ['header', (request, _, random) => withHeader(request, ...one(headers, random))],
  ['header value', (request, _, random) => changedHeader(request, random)],
  ['no headers', (request) => ({ ...request, headers: [] })],
  ['headers of another', (request, other) => ({ ...request, headers: other.headers })],
  ['body of another', (request, other) => ({ ...request, body: other.body })],
  ['body twice', (request) => ({ ...request, body: Buffer.concat([request.body, request.body]) })],
  ['no body', (request) => ({ ...request, body: new Uint8Array() })],
]

/** A mutant of a request, with parts of another; the same numbers give the same mutant. */
export function requestMutant(sample: RawRequest, other: RawRequest, host: string, random: Random): RequestMutant {
  if (random.below(16) === 0) return brokenFrame(sample, other, host, random)
  let request = sample
  const done: string[] = []
  if (sample.body.length > 0 && random.below(3) > 0) {
    request = { ...request, body: mutant(sample.body, other.body.length === 0 ? sample.body : other.body, random) }
    done.push('body')
  }
  for (let left = done.length > 0 ? random.below(2) : 1 + random.below(2); left > 0; left--) {
    const [name, change] = one(changes, random)
    request = change(request, other, random)
    done.push(name)
  }
  if (random.below(2000) === 0) {
    request = { ...request, body: Buffer.alloc(4 * 1024 * 1024 + 1 + random.below(1024), request.body.length === 0 ? 0x5b : request.body) }
    done.push('long body')
  }
  const framed =
    /^[!-~]+$/.test(request.path) &&
    request.path.length < 8000 &&
    request.headers.every(([name, value]) => /^[!-9;-~]+$/.test(name) && /^[\t -~]*$/.test(value))
  return { bytes: wireBytes(request, host), framed, head: request.method === 'HEAD', what: done.join(', ') }
}

/** Bytes that are no whole request, or more than one. */
function brokenFrame(sample: RawRequest, other: RawRequest, host: string, random: Random): RequestMutant {
  const whole = wireBytes(sample, host)
  const { body } = sample
  const chunk = `${body.length.toString(16)}\r\n`
  const chunked = (text: Uint8Array): Uint8Array =>
    wireBytes({ ...sample, headers: [...sample.headers, ['Transfer-Encoding', 'chunked']], body: text }, host)
  const frames: readonly (readonly [string, () => Uint8Array])[] = [
    ['bytes', () => mutant(whole, wireBytes(other, host), random)],
    ['cut off', () => whole.subarray(0, random.below(whole.length))],
    [
      'two lengths',
      () => wireBytes({ ...sample, headers: [...sample.headers, ['Content-Length', '1'], ['Content-Length', String(body.length)]] }, host),
    ],
    [
      'wrong length',
      () =>
        wireBytes(
          { ...sample, headers: [...sample.headers, ['Content-Length', one(['0', '1', '-1', '99999999', '0x10', '1e3', ' '], random)]] },
          host,
        ),
    ],
    [
      'length and chunks',
      () => wireBytes({ ...sample, headers: [...sample.headers, ['Content-Length', '4'], ['Transfer-Encoding', 'chunked']] }, host),
    ],
    ['chunks cut off', () => chunked(Buffer.concat([Buffer.from(chunk), body.subarray(0, random.below(body.length))]))],
    ['chunks', () => chunked(Buffer.concat([Buffer.from(chunk), body, Buffer.from('\r\n0\r\n\r\n')]))],
    [
      'wrong chunk',
      () => chunked(Buffer.concat([Buffer.from(one(['-1\r\n', 'ffffffffffffffff\r\n', 'zz\r\n', '5;x=\n', ''], random)), body])),
    ],
    ['large head', () => wireBytes({ ...sample, headers: [...sample.headers, ['X-Large', 'x'.repeat(20_000)]] }, host)],
    ['many headers', () => wireBytes({ ...sample, headers: Array.from({ length: 3000 }, (_, i) => [`X-${i}`, ''] as const) }, host)],
    ['another encoding', () => wireBytes({ ...sample, headers: [...sample.headers, ['Transfer-Encoding', 'gzip, chunked']] }, host)],
    [
      'upgrade',
      () =>
        wireBytes(
          { ...sample, headers: [...sample.headers, ['Connection', 'Upgrade'], ['Upgrade', one(['h2c', 'websocket', 'TLS/1.0'], random)]] },
          host,
        ),
    ],
    ['expectation', () => wireBytes({ ...sample, headers: [...sample.headers, ['Expect', one(['100-continue', 'a'], random)]] }, host)],
    ['tunnel', () => wireBytes({ ...sample, method: 'CONNECT', path: 'localhost:1' }, host)],
    ['two requests', () => Buffer.concat([whole, wireBytes(other, host)])],
  ]
  const [what, make] = one(frames, random)
  return { bytes: make(), framed: false, head: false, what }
}

function withHeader(request: RawRequest, name: string, value: string): RawRequest {
  const rest = request.headers.filter(([known]) => known.toLowerCase() !== name.toLowerCase())
  return { ...request, headers: [...rest, [name, value]] }
}

function changedHeader(request: RawRequest, random: Random): RawRequest {
  const header = request.headers[random.below(request.headers.length)]
  if (header === undefined) return withHeader(request, 'Content-Type', one(types, random))
  const value = Buffer.from(mutant(Buffer.from(header[1]), Buffer.from(one(types, random)), random)).toString('latin1')
  return withHeader(request, header[0], value)
}

function changedPath(path: string, random: Random): string {
  const segments = path.split('/')
  const at = Math.min(segments.length - 1, 1 + random.below(segments.length - 1))
  switch (random.below(4)) {
    case 0:
      return segments.with(at, one(pathParts, random)).join('/')
    case 1:
      return segments.toSpliced(at, 0, one(pathParts, random)).join('/')
    case 2:
      return segments.with(at, `${segments[at] ?? ''}${one(pathParts, random)}`).join('/')
    default:
      return Buffer.from(mutant(Buffer.from(path), Buffer.from(one(pathParts, random)), random)).toString('latin1')
  }
}
