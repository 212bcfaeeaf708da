/** From the claims of a verified token to what the certificate says, by the kind of issuer (fulcio, pkg/identity). */
import { CountersignError, unreachable } from '@countersign/core/failure'
import type { JsonObject, JsonValue } from '@countersign/core/json/parse'
import type { FulcioClaims } from '@countersign/core/x509/build-fulcio'
import type { WrittenName } from '@countersign/core/x509/build-extensions'
import { ciParts } from './ci-principal.ts'
import { claimMalformed, claimMissing, soundText, textClaim } from './claims.ts'
import type { Issuer, IssuerKind } from './model.ts'
import { toCertificateUri } from './url.ts'

/** Who a token is about. */
export type Principal = {
  /** The issuer in the certificate: of the token, or the one that a claim names. */
  readonly issuer: string
  readonly name: WrittenName
  readonly claims: FulcioClaims
  /** The texts over which a proof of possession may be: what stock clients sign for such a token. */
  readonly proofTexts: readonly string[]
}

/**
 * The principal of a token whose signature, issuer, audience and times hold.
 * Fails with `identity_claim_missing`, `identity_claim_malformed` or `identity_email_unverified`.
 */
export function principalOf(issuer: Issuer, claims: JsonObject): Principal {
  const url = soundText(issuer.url, 'iss')
  const named = namedBy(issuer.kind, url, claims)
  const text = soundText(named.issuer, 'iss')
  return {
    issuer: text,
    name: named.name,
    claims: { '1': text, ...named.claims, '8': text },
    proofTexts: proofTexts(issuer, claims),
  }
}

type Named = { readonly issuer: string; readonly name: WrittenName; readonly claims: FulcioClaims }

function namedBy(kind: IssuerKind, issuer: string, claims: JsonObject): Named {
  switch (kind.type) {
    case 'email':
      return { issuer: federatedIssuer(kind, issuer, claims), name: emailName(kind.skipEmailVerification, claims), claims: {} }
    case 'spiffe':
      return { issuer, name: spiffeName(kind.trustDomain, claims), claims: {} }
    case 'kubernetes':
      return { issuer, name: serviceAccountName(claims), claims: {} }
    case 'uri':
      return { issuer, name: uriName(kind.subjectDomain, claims), claims: {} }
    case 'username':
      return { issuer, name: userName(kind.subjectDomain, claims), claims: {} }
    case 'ci-provider':
      return { issuer, ...ciParts(kind.mapping, claims) }
    default:
      return unreachable(kind)
  }
}

/**
 * Stock clients sign the address when the token has a verified one, and else the subject. Where the operator did not fix the claim,
 * either is accepted for kinds other than e-mail: both are of this token, and the proof is that of the key.
 */
function proofTexts({ kind, challengeClaim }: Issuer, claims: JsonObject): readonly string[] {
  const claim = challengeClaim ?? (kind.type === 'email' ? 'email' : undefined)
  if (claim !== undefined) return [textClaim(claims, claim)]
  const { email } = claims
  const subject = textClaim(claims, 'sub')
  return typeof email === 'string' && email !== '' && isVerified(claims['email_verified']) ? [subject, email] : [subject]
}

/** Issuers write it as a boolean or, against the standard, as the text `true`; nothing else counts. */
function isVerified(value: JsonValue | undefined): boolean {
  return value === true || value === 'true'
}

const emailLocal = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}$/
const emailDomain = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$/

function emailName(skipVerification: boolean, claims: JsonObject): WrittenName {
  const address = textClaim(claims, 'email')
  const verified = claims['email_verified']
  // Skipping is for issuers that do not have the claim (Entra, ADFS); one that says "no" is believed.
  if (!isVerified(verified) && !(skipVerification && verified === undefined)) {
    throw new CountersignError('identity_email_unverified', 'the issuer does not say that the e-mail address is verified')
  }
  if (!isEmail(address)) throw claimMalformed('email', 'it is not an e-mail address of ASCII characters')
  return { kind: 'email', value: address }
}

function isEmail(text: string): boolean {
  const [local, domain, more] = text.split('@')
  if (local === undefined || domain === undefined || more !== undefined || !emailLocal.test(local)) return false
  // Accounts of an installation that is tried out on one machine are named after it (RFC 6761 §6.3).
  return domain === 'localhost' || emailDomain.test(domain)
}

/** The issuer upstream of a federating provider, which names it in a claim (`$.federated_claims.connector_id`). */
function federatedIssuer(
  { issuerClaim: path, issuerClaimMayBeAbsent }: Extract<IssuerKind, { type: 'email' }>,
  issuer: string,
  claims: JsonObject,
): string {
  if (path === undefined) return issuer
  if (issuerClaimMayBeAbsent === true && claims[path[0] ?? ''] === undefined) return issuer
  const name = `$.${path.join('.')}`
  let value: JsonValue | undefined = claims
  for (const part of path) {
    const object: JsonObject | undefined = isObject(value) ? value : undefined
    value = object?.[part]
  }
  if (value === undefined || value === null || value === '') throw claimMissing(name)
  return typeof value === 'string' ? value : claimFailure(name)
}

function claimFailure(name: string): never {
  throw claimMalformed(name, 'it is not a string')
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** SPIFFE ID §2: trust domain exactly, path segments that are not empty and not dots. */
function spiffeName(trustDomain: string, claims: JsonObject): WrittenName {
  const id = textClaim(claims, 'sub')
  const path = id.startsWith(`spiffe://${trustDomain}/`) ? id.slice(`spiffe://${trustDomain}/`.length) : undefined
  if (path === undefined) throw claimMalformed('sub', 'it is not a SPIFFE ID of the trust domain of this issuer')
  const sound = path.split('/').every((segment) => /^[A-Za-z0-9._-]+$/.test(segment) && segment !== '.' && segment !== '..')
  if (!sound) throw claimMalformed('sub', 'its path is not that of a SPIFFE ID')
  return { kind: 'uri', value: id }
}

const dnsName = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/

/** The subject repeats what the claim says; an issuer whose two do not agree is not Kubernetes. */
function serviceAccountName(claims: JsonObject): WrittenName {
  const kubernetes = claims['kubernetes.io']
  if (!isObject(kubernetes)) throw claimMissing('kubernetes.io')
  const account = kubernetes['serviceaccount']
  if (!isObject(account)) throw claimMissing('kubernetes.io.serviceaccount')
  const namespace = textClaim(kubernetes, 'namespace')
  const name = textClaim(account, 'name')
  if (!dnsName.test(namespace) || !dnsName.test(name)) throw claimMalformed('kubernetes.io', 'a name in it is none of Kubernetes')
  if (textClaim(claims, 'sub') !== `system:serviceaccount:${namespace}:${name}`)
    throw claimMalformed('sub', 'it names another service account')
  return { kind: 'uri', value: `https://kubernetes.io/namespaces/${namespace}/serviceaccounts/${name}` }
}

function uriName(subjectDomain: string, claims: JsonObject): WrittenName {
  const subject = textClaim(claims, 'sub')
  const [url, domain] = [URL.parse(subject), new URL(subjectDomain)]
  // What is a URI of a certificate as it stands has no credentials either.
  const sound =
    url !== null && url.protocol === domain.protocol && url.hostname === domain.hostname && toCertificateUri(subject) === subject
  if (!sound) throw claimMalformed('sub', 'it is not a URI of the domain of this issuer')
  return { kind: 'uri', value: subject }
}

/** `!` separates the name from the domain in the certificate; an address would be mistaken for a verified one. */
function userName(subjectDomain: string, claims: JsonObject): WrittenName {
  const subject = textClaim(claims, 'sub')
  if (subject.includes('!')) throw claimMalformed('sub', 'a user name has no exclamation mark')
  if (subject.includes('@')) throw claimMalformed('sub', 'a user name is no e-mail address')
  return { kind: 'username', value: `${subject}!${subjectDomain}` }
}
