/** A client of the certificate authority, for tests: keys of all kinds, proofs, requests of both versions. */
import { constants, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

/** Kinds of keys that clients bring. */
export type ClientKeyType = 'P-256' | 'P-384' | 'P-521' | 'rsa-2048' | 'ed25519'

/** A key of a client. */
export type ClientKey = { readonly publicKey: KeyObject; readonly privateKey: KeyObject; readonly prove: (text: string) => Buffer }

/** A fresh key that proves as stock clients do. */
export function newClientKey(type: ClientKeyType = 'P-256'): ClientKey {
  const { publicKey, privateKey } = pairFor(type)
  const hash = { 'P-256': 'sha256', 'P-384': 'sha384', 'P-521': 'sha512', 'rsa-2048': 'sha256', ed25519: null }[type]
  return {
    publicKey,
    privateKey,
    prove: (text) => sign(hash, Buffer.from(text), { key: privateKey, padding: constants.RSA_PKCS1_PADDING }),
  }
}

function pairFor(type: ClientKeyType): { publicKey: KeyObject; privateKey: KeyObject } {
  if (type === 'ed25519') return generateKeyPairSync('ed25519')
  if (type === 'rsa-2048') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  return generateKeyPairSync('ec', { namedCurve: type })
}

/** SPKI, PEM. */
export function pemOf({ publicKey }: Pick<ClientKey, 'publicKey'>): string {
  return publicKey.export({ type: 'spki', format: 'pem' }) as string
}

/** The body of a request of version 2. */
export function wishV2(token: string | undefined, key: ClientKey, name: string): Record<string, unknown> {
  return {
    ...(token === undefined ? {} : { credentials: { oidcIdentityToken: token } }),
    publicKeyRequest: { publicKey: { algorithm: 'ECDSA', content: pemOf(key) }, proofOfPossession: key.prove(name).toString('base64') },
  }
}

/** What the authority answered. */
export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly reason: string
  readonly chain: readonly string[]
}

/** Sends a body; text as it is. */
export async function post(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const payload = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(url, { method: 'POST', body: payload, headers: { 'content-type': 'application/json', ...headers } })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, reason: reasonOf(text), chain: chainOf(text) }
}

type Parsed = {
  readonly details?: readonly { readonly reason?: string }[]
  readonly signedCertificateEmbeddedSct?: { readonly chain: { readonly certificates: readonly string[] } }
}

function parsed(text: string): Parsed {
  return text.startsWith('{') ? (JSON.parse(text) as Parsed) : {}
}

function reasonOf(text: string): string {
  return parsed(text).details?.[0]?.reason ?? ''
}

function chainOf(text: string): readonly string[] {
  const pems = text.startsWith('-----') ? text : (parsed(text).signedCertificateEmbeddedSct?.chain.certificates ?? []).join('')
  return pems.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? []
}
