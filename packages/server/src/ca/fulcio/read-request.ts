/** Requests for certificates, versions 2 and 1 (fulcio.proto, fulcio_legacy.proto), read from their bodies. */
import { CountersignError } from '@countersign/core/failure'
import { base64Bytes, documentPlace, isAbsent, openMembers, optional, text, type Place } from '@countersign/core/json/shape'
import { parseJson, type JsonValue } from '@countersign/core/json/parse'
import { utf8 } from '@countersign/core/bytes'

/** A key and what shows that the sender has it. */
export type KeyClaim =
  /** SPKI, PEM or DER, and a signature over the name of the principal. */
  | { readonly kind: 'key'; readonly content: Uint8Array; readonly proof: Uint8Array }
  /** A PKCS#10 request, PEM. */
  | { readonly kind: 'request'; readonly request: Uint8Array }

/** One request. */
export type CertificateWish = { readonly token: string; readonly key: KeyClaim }

const limits = { maxDepth: 8, maxValues: 100 }

/** Reads a request of version 2. Throws `certificate_request_refused`. Unknown members are passed over, as the reference does. */
export function readWish(body: Uint8Array, authorization: string | undefined): CertificateWish {
  const field = openMembers(documentPlace(parseBody(body), 'certificate_request_refused'))
  const credentials = field('credentials')
  const inBody = isAbsent(credentials) ? undefined : optional(openMembers(credentials)('oidcIdentityToken'), text)
  const token = oneToken(inBody, bearerOf(authorization))
  const request = optional(field('certificateSigningRequest'), base64Bytes)
  if (request !== undefined) {
    if (!isAbsent(field('publicKeyRequest'))) throw refused('both a public key and a certification request')
    return { token, key: { kind: 'request', request } }
  }
  const publicKeyRequest = openMembers(demanded(field('publicKeyRequest'), 'no public key'))
  const content = text(openMembers(demanded(publicKeyRequest('publicKey'), 'no public key'))('content'))
  return { token, key: { kind: 'key', content: utf8(content), proof: base64Bytes(publicKeyRequest('proofOfPossession')) } }
}

/** Reads a request of version 1: the token is in the header alone. Throws `certificate_request_refused`. */
export function readWishV1(body: Uint8Array, authorization: string | undefined): CertificateWish {
  const field = openMembers(documentPlace(parseBody(body), 'certificate_request_refused'))
  const token = oneToken(undefined, bearerOf(authorization))
  const request = optional(field('certificateSigningRequest'), base64Bytes)
  if (request !== undefined) return { token, key: { kind: 'request', request } }
  const content = base64Bytes(openMembers(demanded(field('publicKey'), 'no public key'))('content'))
  return { token, key: { kind: 'key', content, proof: base64Bytes(field('signedEmailAddress')) } }
}

function demanded(at: Place, otherwise: string): Place {
  if (isAbsent(at)) throw refused(otherwise)
  return at
}

function parseBody(body: Uint8Array): JsonValue {
  try {
    return parseJson(body, limits)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    // The cause stays out of the answer: it may quote the body, and the token is in it.
    throw refused(`its body is not a JSON document that can be read in one way only (${cause.code})`)
  }
}

function bearerOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined
  return /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1] ?? ''
}

/** Hostile: of two tokens, one that a proxy looked at and one that is used. */
function oneToken(inBody: string | undefined, inHeader: string | undefined): string {
  const tokens = new Set([inBody, inHeader].filter((token) => token !== undefined && token !== ''))
  if (tokens.size > 1) throw refused('two identity tokens that differ')
  const [token] = tokens
  if (token === undefined) throw new CountersignError('identity_token_missing', 'the request has no identity token')
  return token
}

function refused(detail: string): CountersignError {
  return new CountersignError('certificate_request_refused', `not a request for a certificate: ${detail}`)
}
