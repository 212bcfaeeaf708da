/** An identity provider on loopback for tests: discovery, keys, and tokens of any shape, signed in any way. */
import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A key of the provider. */
export type ProviderKey = {
  readonly kid: string
  readonly algorithm: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly body: unknown }

/** The provider; what it answers can be replaced by path. */
export type Provider = {
  readonly url: string
  readonly keys: ProviderKey[]
  readonly requests: string[]
  readonly answers: Map<string, (request: IncomingMessage) => Answer>
  readonly token: (claims: Readonly<Record<string, unknown>>, options?: TokenOptions) => string
  readonly close: () => Promise<void>
}

/** How a token departs from an ordinary one. */
type TokenOptions = {
  readonly key?: ProviderKey
  readonly header?: Readonly<Record<string, unknown>>
  readonly withoutTimes?: boolean
}

/** A fresh key for the algorithm. */
export function newProviderKey(kid: string, algorithm = 'ES256'): ProviderKey {
  return { kid, algorithm, ...pairFor(algorithm) }
}

function pairFor(algorithm: string): { privateKey: KeyObject; publicKey: KeyObject } {
  if (algorithm.startsWith('RS') || algorithm.startsWith('PS')) return generateKeyPairSync('rsa', { modulusLength: 2048 })
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519')
  const curve = algorithm === 'ES512' ? 'P-521' : algorithm === 'ES384' ? 'P-384' : 'P-256'
  return generateKeyPairSync('ec', { namedCurve: curve })
}

/** Base64url of JSON. */
export function segment(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

/** A token with these parts, signed as the key's algorithm says. */
export function signedToken(key: ProviderKey, header: unknown, payload: unknown): string {
  const input = `${segment(header)}.${segment(payload)}`
  return `${input}.${jwsSignature(key, input).toString('base64url')}`
}

function jwsSignature({ algorithm, privateKey }: ProviderKey, input: string): Buffer {
  const data = Buffer.from(input)
  const hash = `sha${algorithm.slice(2)}`
  if (algorithm === 'EdDSA') return sign(null, data, privateKey)
  if (algorithm.startsWith('ES')) return sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  if (algorithm.startsWith('PS')) return sign(hash, data, { key: privateKey, padding: 6, saltLength: -1 })
  return sign(hash, data, privateKey)
}

/** A token "signed" with HMAC under bytes that everybody knows. */
export function hmacToken(secret: Buffer | string, header: unknown, payload: unknown): string {
  const input = `${segment(header)}.${segment(payload)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** The public key as a JWK. */
export function jwkOf({ kid, algorithm, publicKey }: ProviderKey): Record<string, unknown> {
  return { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' }
}

/** Starts a provider. */
export async function startProvider(keys: ProviderKey[] = [newProviderKey('one')], now: () => number = Date.now): Promise<Provider> {
  const requests: string[] = []
  const answers: Provider['answers'] = new Map()
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    requests.push(path)
    write(response, answers.get(path)?.(request) ?? { status: 404, body: {} })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  answers.set('/.well-known/openid-configuration', () => ({
    body: {
      issuer: url,
      jwks_uri: `${url}/keys`,
      id_token_signing_alg_values_supported: [...new Set(keys.map(({ algorithm }) => algorithm))],
    },
  }))
  answers.set('/keys', () => ({ body: { keys: keys.map(jwkOf) } }))
  const token: Provider['token'] = (claims, options = {}) => {
    const key = options.key ?? keys[0] ?? newProviderKey('none')
    const seconds = Math.floor(now() / 1000)
    const times = options.withoutTimes === true ? {} : { iat: seconds, nbf: seconds, exp: seconds + 600 }
    const header = { alg: key.algorithm, kid: key.kid, typ: 'JWT', ...options.header }
    return signedToken(key, header, { iss: url, aud: 'sigstore', ...times, ...claims })
  }
  return { url, keys, requests, answers, token, close: async () => closeServer(server) }
}

function write(response: ServerResponse, { status = 200, headers = {}, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise<void>((resolve) => server.close(() => resolve()))
}
