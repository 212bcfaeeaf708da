/** The JWS algorithms that are accepted (RFC 7518 §3.1, RFC 8037 §3.1), and the keys that they fit. `none` and HMAC have no row, and never get one. */
import { algorithmFor, defaultAlgorithm, withP1363, type SignatureAlgorithm } from '@countersign/core/keys/algorithm'
import type { PublicKey } from '@countersign/core/keys/public-key'
import type { HashAlgorithm } from '@countersign/core/digest'

type Row =
  | { readonly key: 'rsa'; readonly hash: HashAlgorithm; readonly padding: 'pkcs1v15' | 'pss' }
  | { readonly key: 'ec-p256' | 'ec-p384' | 'ec-p521'; readonly hash: HashAlgorithm }
  | { readonly key: 'ed25519' }

const rows: ReadonlyMap<string, Row> = new Map<string, Row>([
  ['RS256', { key: 'rsa', hash: 'sha256', padding: 'pkcs1v15' }],
  ['RS384', { key: 'rsa', hash: 'sha384', padding: 'pkcs1v15' }],
  ['RS512', { key: 'rsa', hash: 'sha512', padding: 'pkcs1v15' }],
  ['PS256', { key: 'rsa', hash: 'sha256', padding: 'pss' }],
  ['PS384', { key: 'rsa', hash: 'sha384', padding: 'pss' }],
  ['PS512', { key: 'rsa', hash: 'sha512', padding: 'pss' }],
  ['ES256', { key: 'ec-p256', hash: 'sha256' }],
  ['ES384', { key: 'ec-p384', hash: 'sha384' }],
  ['ES512', { key: 'ec-p521', hash: 'sha512' }],
  ['EdDSA', { key: 'ed25519' }],
  ['Ed25519', { key: 'ed25519' }],
])

/** Whether an algorithm is accepted at all. */
export function isTokenAlgorithm(name: string): boolean {
  return rows.has(name)
}

/** How a key verifies tokens of this algorithm; `undefined` when it is of another kind. The key decides: the header of a token only asks. */
export function tokenAlgorithm(name: string, key: PublicKey): SignatureAlgorithm | undefined {
  const row = rows.get(name)
  if (row === undefined || row.key !== key.type) return undefined
  if (row.key === 'ed25519') return defaultAlgorithm(key)
  return row.key === 'rsa' ? algorithmFor(key, row.hash, row.padding) : withP1363(algorithmFor(key, row.hash))
}
