/** Every endpoint of an installation, valid requests to it, and what its answers may say. */
import { createHash, generateKeyPairSync, hash, randomBytes, sign } from 'node:crypto'
import { base64ToBytes } from '@countersign/core/base64'
import { equalBytes, utf8 } from '@countersign/core/bytes'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { formatAddCheckpoint } from '@countersign/core/note/add-checkpoint'
import { logNoteSigner, signCheckpoint } from '@countersign/core/note/sign'
import { formatVerifierKey, verifierKey } from '@countersign/core/note/verifier-key'
import { decodePem } from '@countersign/core/pem'
import { parseTimestampResponse } from '@countersign/core/rfc3161/token'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { serverPrimitives } from '@countersign/server/base/crypto/primitives'
import type { RawRequest } from './raw-request.ts'
import { timestampRequests, timestampRequestsJson } from './service-samples.ts'
import {
  type BenchIssuer,
  type CertificateWish,
  certificateWish,
  type EntryWish,
  rekor1Wish,
  rekor2Wish,
  type ServiceRequest,
} from './service-requests.ts'

/** One endpoint. `judge` says what is wrong with an answer of status 2xx to a mutant: something was signed that no valid request asked for. */
export type Endpoint = {
  readonly name: string
  readonly samples: readonly RawRequest[]
  readonly judge?: (sent: Uint8Array, answer: Uint8Array) => string | undefined
}

/** A log that the server is a witness for: its verifier key and signed checkpoints. */
export type WitnessedLog = { readonly verifierKey: string; readonly notes: readonly string[] }

/** Makes the log. */
export async function witnessedLog(): Promise<WitnessedLog> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const key = parsePublicKey(new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })))
  const origin = 'bench.example/log'
  const signer = await logNoteSigner(serverPrimitives, origin, key, (text) => new Uint8Array(sign(null, text, privateKey)))
  const heads = [0, 1, 2, 3].map((size) => ({
    origin,
    size,
    rootHash: new Uint8Array(createHash('sha256').update(String(size)).digest()),
    timeMs: 0,
  }))
  const notes = await Promise.all(heads.map(async (head) => signCheckpoint(head, [signer])))
  return { verifierKey: formatVerifierKey(await verifierKey(serverPrimitives, 'log', origin, key)), notes }
}

/** Every endpoint. `reads` are paths that answer 200 now, by the name of their endpoint. */
export function endpoints(
  issuer: BenchIssuer,
  witnessed: WitnessedLog,
  reads: Readonly<Record<string, readonly string[]>>,
): readonly Endpoint[] {
  const certificates = ([2, 1] as const).map((version) =>
    Array.from({ length: 24 }, (_, i) => certificateWish(issuer, `mutant-${version}-${i}@example.com`, version)),
  )
  const [entries2, entries1] = [Array.from({ length: 32 }, rekor2Wish), Array.from({ length: 33 }, (_, i) => rekor1Wish(i))]
  const onlyCertificates = certificateJudge(certificates.flat())
  const onlyEntries = entryJudge([...entries2, ...entries1])
  const query = (path: string, bodies: readonly object[]): readonly RawRequest[] =>
    bodies.map((body) => post(path, 'application/json', utf8(JSON.stringify(body))))
  const form = (path: string, bodies: readonly Record<string, string>[]): readonly RawRequest[] =>
    bodies.map((body) => post(path, 'application/x-www-form-urlencoded', utf8(new URLSearchParams(body).toString())))
  const tsa = '/tsa/api/v1/timestamp'
  const proposed = entries1.slice(0, 3).map(({ body }) => JSON.parse(Buffer.from(body).toString()) as object)
  const id = reads['GET /rekor/api/v1/log/entries/:id']?.[0]?.split('/').at(-1) ?? ''
  return [
    { name: 'POST /fulcio/api/v2/signingCert', samples: certificates[0]?.map(raw) ?? [], judge: onlyCertificates },
    { name: 'POST /fulcio/api/v1/signingCert', samples: certificates[1]?.map(raw) ?? [], judge: onlyCertificates },
    { name: 'POST /rekor2/api/v2/log/entries', samples: entries2.map(raw), judge: onlyEntries },
    { name: 'POST /rekor/api/v1/log/entries', samples: entries1.map(raw), judge: onlyEntries },
    {
      name: 'POST /rekor/api/v1/log/entries/retrieve',
      samples: query('/rekor/api/v1/log/entries/retrieve', [{ logIndexes: [0, 1] }, { entryUUIDs: [id] }, { entries: proposed }]),
    },
    {
      name: 'POST /rekor/api/v1/index/retrieve',
      samples: query('/rekor/api/v1/index/retrieve', [
        { hash: `sha256:${hash('sha256', 'x')}` },
        { email: 'a@example.com', operator: 'and' },
        { publicKey: { format: 'x509', content: pemOf(entries1[0]) } },
      ]),
    },
    {
      name: `POST ${tsa} (DER)`,
      samples: timestampRequests().map((body) => post(tsa, 'application/timestamp-query', body)),
      judge: onlyImprints,
    },
    {
      name: `POST ${tsa} (JSON)`,
      samples: [...timestampRequestsJson(), ...stampable()].map((body) => post(tsa, 'application/json', body)),
      judge: onlyImprints,
    },
    {
      name: 'POST /witness/add-checkpoint',
      samples: witnessed.notes.map((note) =>
        post('/witness/add-checkpoint', 'text/plain', utf8(formatAddCheckpoint({ oldSize: 0, proof: [], note }))),
      ),
      judge: (sent) =>
        witnessed.notes.some((note) => Buffer.from(sent).includes(note))
          ? undefined
          : 'a checkpoint was cosigned that its log did not sign',
    },
    ...oidcEndpoints(form),
    ...Object.entries(reads).map(([name, paths]) => ({
      name,
      samples: paths.map((path) => ({ method: 'GET', path, headers: [['Accept', '*/*'] as const], body: new Uint8Array() })),
    })),
  ]
}

function oidcEndpoints(form: (path: string, bodies: readonly Record<string, string>[]) => readonly RawRequest[]): readonly Endpoint[] {
  const code = randomBytes(32).toString('base64url')
  const client = { client_id: 'sigstore' }
  const judge = (_: Uint8Array, answer: Uint8Array): string | undefined =>
    /"(id|access)_token"/.test(Buffer.from(answer).toString()) ? 'a token for nobody' : undefined
  const grants = [
    { grant_type: 'authorization_code', code, redirect_uri: 'http://localhost/auth/callback', code_verifier: code, ...client },
    { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: code, ...client },
    { grant_type: 'client_credentials', client_id: 'robot', client_secret: code },
    { grant_type: 'refresh_token', refresh_token: code, ...client },
  ]
  const authorization = {
    ...client,
    response_type: 'code',
    redirect_uri: 'http://localhost:1234/auth/callback',
    scope: 'openid email',
    state: code,
    nonce: code,
    code_challenge: code,
    code_challenge_method: 'S256',
  }
  return [
    { name: 'POST /oidc/token', samples: form('/oidc/token', grants), judge },
    { name: 'POST /oidc/auth', samples: form('/oidc/auth', [authorization]), judge },
    {
      name: 'POST /oidc/device/auth',
      samples: form('/oidc/device/auth', [{ ...client, scope: 'openid email', code_challenge: code, code_challenge_method: 'S256' }]),
      judge,
    },
    { name: 'POST /oidc/device', samples: form('/oidc/device', [{ xsrf: code, user_code: 'BCDF-GHJK', confirm: 'yes' }]), judge },
    {
      name: 'POST /oidc/login/:uid',
      samples: form(`/oidc/login/${code}`, [{ name: 'admin', password: 'password', code: '123456' }]),
      judge,
    },
    { name: 'POST /oidc/welcome/:secret', samples: form(`/oidc/welcome/${code}`, [{ password: 'correct horse battery' }]), judge },
  ]
}

/** Paths that can be read, by endpoint: in names of the routes, with what is there now. */
export function readPaths(entryId: string, issuerFingerprint: string): Readonly<Record<string, readonly string[]>> {
  const own = (...paths: readonly string[]): Record<string, readonly string[]> =>
    Object.fromEntries(paths.map((path) => [`GET ${path}`, [path]]))
  const uid = 'A'.repeat(21)
  return {
    ...own('/fulcio/api/v1/rootCert', '/fulcio/api/v2/trustBundle', '/fulcio/api/v2/configuration'),
    'GET /rekor/api/v1/log/entries': ['/rekor/api/v1/log/entries?logIndex=0', '/rekor/api/v1/log/entries?logIndex=1'],
    'GET /rekor/api/v1/log/entries/:id': [`/rekor/api/v1/log/entries/${entryId}`, `/rekor/api/v1/log/entries/${entryId.slice(16)}`],
    ...own('/rekor/api/v1/log', '/rekor/api/v1/log/publicKey'),
    'GET /rekor/api/v1/log/proof': ['/rekor/api/v1/log/proof?firstSize=1&lastSize=2', '/rekor/api/v1/log/proof?lastSize=2'],
    ...own('/rekor2/api/v2/checkpoint', '/tsa/api/v1/timestamp/certchain'),
    'GET /rekor2/api/v2/tile/*': ['/rekor2/api/v2/tile/0/000.p/1', '/rekor2/api/v2/tile/entries/000.p/1'],
    'GET /tuf/*': ['/tuf/timestamp.json', '/tuf/1.root.json', '/tuf/1.snapshot.json', '/tuf/1.targets.json'],
    ...own('/ct/checkpoint', '/ct/ct/v1/get-roots'),
    'GET /ct/tile/*': ['/ct/tile/0/000.p/1', '/ct/tile/data/000.p/1'],
    'GET /ct/issuer/:fingerprint': [`/ct/issuer/${issuerFingerprint}`],
    ...own('/kit/', '/kit/style.css', '/kit/trusted_root.json', '/witness/verifier-key', '/healthz', '/readyz', '/metrics'),
    ...own('/oidc/.well-known/openid-configuration', '/oidc/jwks', '/oidc/device'),
    'GET /oidc/auth': [
      `/oidc/auth?client_id=sigstore&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A1234%2Fauth%2Fcallback&scope=openid+email&state=${uid}&code_challenge=${'A'.repeat(43)}&code_challenge_method=S256`,
    ],
    'GET /oidc/auth/:uid': [`/oidc/auth/${uid}`],
    'GET /oidc/login/:uid': [`/oidc/login/${uid}`, `/oidc/login/${uid}/upstream/corp`, `/oidc/login/${uid}/return/corp?code=a&state=b`],
    'GET /oidc/welcome/:secret': [`/oidc/welcome/${uid}`],
  }
}

/** Requests in JSON that name no policy, as clients send them. */
function stampable(): readonly Uint8Array[] {
  return (['sha256', 'sha512'] as const).map((hashAlgorithm) => {
    const artifactHash = hash(hashAlgorithm, randomBytes(32), 'base64')
    return utf8(JSON.stringify({ artifactHash, hashAlgorithm, certificates: true, nonce: 12_345_678_901 }))
  })
}

function raw({ path, type, body, headers = {} }: ServiceRequest): RawRequest {
  return { method: 'POST', path, headers: [['Content-Type', type], ...Object.entries(headers)], body }
}

function post(path: string, type: string, body: Uint8Array): RawRequest {
  return raw({ path, type, body })
}

function pemOf(wish: EntryWish | undefined): string {
  return Buffer.from(wish?.publicKey.export({ type: 'spki', format: 'pem' }) ?? '').toString('base64')
}

function certificateJudge(wishes: readonly CertificateWish[]): NonNullable<Endpoint['judge']> {
  const text = (answer: Uint8Array): string => Buffer.from(answer).toString().replaceAll('\\n', '\n')
  return (_, answer) => {
    const pem = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/.exec(text(answer))?.[0]
    if (pem === undefined) return 'no certificate'
    const { alternativeNames, spki } = parseCertificate((decodePem(`${pem}\n`)[0] ?? { bytes: new Uint8Array() }).bytes)
    const names = alternativeNames.map(({ value }) => value)
    const asked = wishes.some((wish) => names.length === 1 && names[0] === wish.email && equalBytes(spki, new Uint8Array(wish.spki)))
    return asked ? undefined : `a certificate for ${names.join(', ')} with a key that no request had with this name`
  }
}

/** What was logged is a signature of one of the requests, with its digest and its key. */
function entryJudge(wishes: readonly EntryWish[]): NonNullable<Endpoint['judge']> {
  return (_, answer) => {
    const body = /"(?:canonicalizedBody|body)":"([A-Za-z0-9+/=]+)"/.exec(Buffer.from(answer).toString())?.[1]
    if (body === undefined) return 'no entry'
    const entry = Buffer.from(base64ToBytes(body)).toString()
    const found = wishes.find((wish) => signaturesOf(wish).some((signature) => entry.includes(signature)))
    if (found === undefined) return `a signature that no request had: ${entry}`
    const { message, publicKey } = found
    const payload = /application\/octet-stream 32 ([^]{32})$/.exec(Buffer.from(message).toString('latin1'))?.[1]
    const digests = [
      hash('sha256', message, 'hex'),
      hash('sha256', message, 'base64'),
      ...(payload === undefined ? [] : [hash('sha256', Buffer.from(payload, 'latin1'), 'hex')]),
    ]
    if (!digests.some((digest) => entry.includes(digest))) return `a signature with another digest: ${entry}`
    const keys = [publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), pemOf(found)]
    return keys.some((key) => entry.includes(key)) ? undefined : `a signature with another key: ${entry}`
  }
}

function signaturesOf({ body }: EntryWish): readonly string[] {
  return [
    ...Buffer.from(body)
      .toString()
      .matchAll(/(?:"content"|\\"sig\\"):(?:\\)?"([A-Za-z0-9+/]{88,100}={0,2})(?:\\)?"/g),
  ].map((match) => match[1] as string)
}

/** What was stamped stands in the request. */
function onlyImprints(sent: Uint8Array, answer: Uint8Array): string | undefined {
  const { digest } = parseTimestampResponse(answer).token.info.imprint
  const bytes = Buffer.from(sent)
  const asked = bytes.includes(Buffer.from(digest)) || bytes.includes(Buffer.from(digest).toString('base64'))
  return asked ? undefined : 'a digest was stamped that does not stand in the request'
}
