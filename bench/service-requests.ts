/** Requests that the services take, signed beforehand, and the issuer whose tokens they accept: what faults, mutations and load are made from. */
import { generateKeyPairSync, hash, type KeyObject, randomBytes, sign } from 'node:crypto'
import { utf8 } from '@countersign/core/bytes'
import { preAuthEncoding } from '@countersign/core/dsse/envelope'
import { encodeTimestampRequest } from '@countersign/core/rfc3161/request'

/** One request with a body, below the public URL. */
export type ServiceRequest = {
  readonly path: string
  readonly type: string
  readonly body: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

/** A request for a timestamp, and what it stamps. */
export type TimestampWish = ServiceRequest & { readonly message: Uint8Array }

/** A request for a certificate, and what it must say. */
export type CertificateWish = ServiceRequest & { readonly email: string; readonly spki: Buffer }

/** A request to log a signature, and what proves it: nothing else may be logged for it. */
export type EntryWish = ServiceRequest & { readonly message: Uint8Array; readonly publicKey: KeyObject }

/** Somebody who vouches for people, known to the server by its configuration: nothing is asked of it over a network. */
export type BenchIssuer = {
  /** A configuration document of the server that trusts it. */
  readonly configuration: (more?: object) => string
  readonly token: (email: string) => string
}

const issuerUrl = 'https://issuer.example.com'
const json = 'application/json'

/** Makes the issuer. */
export function benchIssuer(): BenchIssuer {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwks = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' }] })
  const issuers = { 'oidc-issuers': { [issuerUrl]: { 'client-id': 'sigstore', type: 'email', jwks } } }
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return {
    configuration: (more = {}) => JSON.stringify({ ca: { issuers }, logging: { level: 'warn' }, ...more }),
    token: (email) => {
      const now = Math.floor(Date.now() / 1000)
      const claims = { iss: issuerUrl, aud: 'sigstore', sub: email, email, email_verified: true, iat: now, exp: now + 7200 }
      const signed = `${part({ alg: 'RS256', kid: 'bench', typ: 'JWT' })}.${part(claims)}`
      return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`
    },
  }
}

const keyOf = (): { publicKey: KeyObject; privateKey: KeyObject } => generateKeyPairSync('ec', { namedCurve: 'P-256' })

let entryKey: ReturnType<typeof keyOf> | undefined

/** A `hashedrekord` for Rekor v2, of a message that nobody sent before. */
export function rekor2Wish(): EntryWish {
  const { publicKey, privateKey } = (entryKey ??= keyOf())
  const message = randomBytes(32)
  const rawBytes = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  const verifier = { publicKey: { rawBytes }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' }
  const signature = { content: sign('sha256', message, privateKey).toString('base64'), verifier }
  const body = { hashedRekordRequestV002: { digest: hash('sha256', message, 'base64'), signature } }
  return { path: '/rekor2/api/v2/log/entries', type: json, body: utf8(JSON.stringify(body)), message, publicKey }
}

const kindsV1 = ['hashedrekord', 'rekord', 'dsse'] as const

/** An entry for Rekor v1 of each kind in turn. */
export function rekor1Wish(n: number): EntryWish {
  const { publicKey, privateKey } = (entryKey ??= keyOf())
  const kind = kindsV1[n % kindsV1.length] as (typeof kindsV1)[number]
  const payload = randomBytes(32)
  const message = kind === 'dsse' ? preAuthEncoding('application/octet-stream', new Uint8Array(payload)) : new Uint8Array(payload)
  const content = sign('sha256', message, privateKey).toString('base64')
  const pem = Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })).toString('base64')
  const signature = { content, publicKey: { content: pem } }
  const envelope = { payloadType: 'application/octet-stream', payload: payload.toString('base64'), signatures: [{ sig: content }] }
  const specs = {
    hashedrekord: { data: { hash: { algorithm: 'sha256', value: hash('sha256', message) } }, signature },
    rekord: { data: { content: payload.toString('base64') }, signature: { ...signature, format: 'x509' } },
    dsse: { proposedContent: { envelope: JSON.stringify(envelope), verifiers: [pem] } },
  }
  const body = { apiVersion: '0.0.1', kind, spec: specs[kind] }
  return { path: '/rekor/api/v1/log/entries', type: json, body: utf8(JSON.stringify(body)), message, publicKey }
}

/** A certificate for a new key. */
export function certificateWish(issuer: BenchIssuer, email: string, version: 1 | 2 = 2): CertificateWish {
  const { publicKey, privateKey } = keyOf()
  const proof = sign('sha256', Buffer.from(email), privateKey).toString('base64')
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const token = issuer.token(email)
  const path = `/fulcio/api/v${version}/signingCert`
  if (version === 1) {
    const body = { publicKey: { content: spki.toString('base64'), algorithm: 'ecdsa' }, signedEmailAddress: proof }
    return { path, type: json, body: utf8(JSON.stringify(body)), headers: { authorization: `Bearer ${token}` }, email, spki }
  }
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' })
  const publicKeyRequest = { publicKey: { algorithm: 'ECDSA', content: publicKeyPem }, proofOfPossession: proof }
  const body = { credentials: { oidcIdentityToken: token }, publicKeyRequest }
  return { path, type: json, body: utf8(JSON.stringify(body)), email, spki }
}

/** A timestamp over a new message. */
export function timestampWish(): TimestampWish {
  const message = new Uint8Array(randomBytes(64))
  const digest = new Uint8Array(hash('sha256', message, 'buffer'))
  const body = encodeTimestampRequest({ hash: 'sha256', digest, certReq: true, nonce: new Uint8Array(randomBytes(8)) })
  return { path: '/tsa/api/v1/timestamp', type: 'application/timestamp-query', body, message }
}
