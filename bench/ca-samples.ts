/** Samples of what comes to the certificate authority and of what its log serves: tokens, requests, data tiles. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { joinBytes, utf8 } from '@countersign/core/bytes'
import { defaultAlgorithm } from '@countersign/core/keys/algorithm'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { encodeName } from '@countersign/core/x509/build-name'
import { buildCertificateRequest } from '@countersign/core/x509/certificate-request'
import { encodeTileLeaf, type CtEntry } from '@countersign/core/x509/ct-leaf'

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Identity tokens; parsing looks at no signature. */
export function identityTokens(): readonly Uint8Array[] {
  const claims = {
    iss: 'https://issuer.example.com',
    aud: ['sigstore'],
    sub: 's',
    exp: 1_900_000_000,
    email: 'a@example.com',
    'kubernetes.io': { namespace: 'n' },
  }
  return ['RS256', 'ES256'].map((alg) => utf8(`${part({ alg, kid: 'k', typ: 'JWT' })}.${part(claims)}.${'A'.repeat(86)}`))
}

/** Requests for certificates, as their bodies. */
export function certificateWishes(): readonly Uint8Array[] {
  const content = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' })
  const key = { publicKeyRequest: { publicKey: { algorithm: 'ECDSA', content }, proofOfPossession: 'AAAA' } }
  const credentials = { oidcIdentityToken: 'a.b.c' }
  return [
    { credentials, ...key },
    { credentials, certificateSigningRequest: 'AAAA' },
  ].map((body) => utf8(JSON.stringify(body)))
}

/** Certification requests, DER. */
export async function certificateRequests(): Promise<readonly Uint8Array[]> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = parsePublicKey(new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })))
  const signer = {
    algorithm: defaultAlgorithm(key),
    sign: (message: Uint8Array): Uint8Array => new Uint8Array(sign('sha256', message, privateKey)),
  }
  return [await buildCertificateRequest(encodeName({ organization: 'Example', commonName: 'Example' }), key, signer)]
}

/** Data tiles of a certificate transparency log. */
export function dataTiles(): readonly Uint8Array[] {
  const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7)
  const entry = (index: number): CtEntry => ({
    timestampMs: 1_700_000_000_000,
    index,
    signed: { kind: 'precertificate', issuerKeyHash: bytes(32), tbs: bytes(40), precertificate: bytes(50) },
    chain: [bytes(32)],
  })
  return [joinBytes([0, 1, 2].map((index) => encodeTileLeaf(entry(index)).bytes))]
}

/** Configurations of issuers. */
export function issuerConfigurations(): readonly Uint8Array[] {
  const fields = { 'client-id': 'sigstore', type: 'email', 'issuer-claim': '$.a.b' }
  const mapping = {
    'extension-templates': { 'build-trigger': '{{ if eq .a "b" }}c{{ else }}{{ .d }}{{ end }}' },
    'subject-alternative-name-template': '{{ .url }}/x',
  }
  const own = { 'client-id': 'sigstore', type: 'ci-provider', 'ci-provider': 'own' }
  const configuration = {
    'oidc-issuers': { 'https://a.example.com': fields, 'https://b.example.com': own },
    'meta-issuers': { 'https://*.id.example.com/x/*': { 'client-id': 'sigstore', type: 'kubernetes' } },
    'ci-issuer-metadata': { own: mapping },
  }
  return [utf8(JSON.stringify(configuration))]
}
