/** JWK sets (RFC 7517): the keys with which an issuer signs tokens. */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import { documentPlace, items, openMembers, optional, text, type Place } from '@countersign/core/json/shape'
import type { JsonValue } from '@countersign/core/json/parse'
import { parsePublicKey, type PublicKey } from '@countersign/core/keys/public-key'

/** One key of an issuer. */
export type TokenKey = {
  readonly id: string | undefined
  /** The one algorithm that it is for, where the set says so. */
  readonly algorithm: string | undefined
  readonly key: PublicKey
}

const maxKeys = 64

/**
 * The keys of a set that can verify tokens. Keys for encryption, of unknown or of weak kinds are left out, as RFC 7517 §5 demands of what is
 * not understood; symmetric ones always are. Throws `identity_issuer_unavailable` for what is not a set, or has more than 64 keys.
 */
export function readKeySet(document: JsonValue): readonly TokenKey[] {
  const keys = items(openMembers(documentPlace(document, 'identity_issuer_unavailable'))('keys'), maxKeys)
  return keys.map(readKey).filter((key) => key !== undefined)
}

function readKey(at: Place): TokenKey | undefined {
  const field = openMembers(at)
  if ((optional(field('use'), text) ?? 'sig') !== 'sig') return undefined
  const operations = field('key_ops').value
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined
  const key = publicKeyOf(field)
  return key && { id: optional(field('kid'), text), algorithm: optional(field('alg'), text), key }
}

function publicKeyOf(field: (name: string) => Place): PublicKey | undefined {
  const type = text(field('kty'))
  const names = type === 'RSA' ? ['n', 'e'] : type === 'EC' ? ['crv', 'x', 'y'] : type === 'OKP' ? ['crv', 'x'] : undefined
  if (names === undefined) return undefined
  const jwk = Object.fromEntries([['kty', type], ...names.map((name) => [name, text(field(name))])]) as JsonWebKey
  try {
    return parsePublicKey(new Uint8Array(createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' })))
  } catch (cause) {
    if (isUnusable(cause)) return undefined
    throw cause
  }
}

/** OpenSSL refuses a point off its curve, core a key of a kind or size that the platform does not take. */
function isUnusable(cause: unknown): boolean {
  if (cause instanceof CountersignError) return cause.code === 'key_unsupported' || cause.code === 'key_malformed'
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' && cause.code.startsWith('ERR_')
}
