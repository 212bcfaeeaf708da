/** Who may vouch for signers, and how what a token says becomes a certificate. Everything here comes from the operator's configuration. */
import type { FulcioArc } from '@countersign/core/x509/build-fulcio'
import type { Template } from './template.ts'

/** The kinds of issuers (fulcio, docs/oidc.md). */
export type IssuerKind =
  /** The certificate names the e-mail address of the token, which must be verified. */
  | {
      readonly type: 'email'
      readonly issuerClaim: readonly string[] | undefined
      /** Our own provider's accounts have the claim only when another provider vouches for them; else the certificate names ours. */
      readonly issuerClaimMayBeAbsent?: true
      readonly skipEmailVerification: boolean
    }
  /** The certificate names the SPIFFE ID that is the token's subject. */
  | { readonly type: 'spiffe'; readonly trustDomain: string }
  | { readonly type: 'kubernetes' }
  /** The certificate names the URI that is the token's subject; its scheme and host are those of `subjectDomain`. */
  | { readonly type: 'uri'; readonly subjectDomain: string }
  /** The certificate names `subject!subjectDomain`. */
  | { readonly type: 'username'; readonly subjectDomain: string }
  /** The certificate says what templates make of the claims. */
  | { readonly type: 'ci-provider'; readonly provider: string; readonly mapping: CiMapping }

/** How the claims of a build system become a certificate. */
export type CiMapping = {
  /** Values for claims that the token does not have; a claim of the token wins. */
  readonly defaults: ReadonlyMap<string, string>
  readonly subjectAlternativeName: Template
  readonly extensions: ReadonlyMap<FulcioArc, Template>
}

/** One issuer. */
export type Issuer = {
  /** `iss` of its tokens, exactly. */
  readonly url: string
  /** The one audience that its tokens must have. */
  readonly audience: string
  readonly kind: IssuerKind
  /** Claim that the proof of possession is over, where the operator fixed it; else what clients choose for this kind. */
  readonly challengeClaim: 'email' | 'sub' | undefined
  /** PEM of the authorities of its TLS certificate, in place of the public ones. */
  readonly caCertificates: string | undefined
  /** Its keys, where they are not fetched: a JWK set. */
  readonly staticKeys: string | undefined
  /** `pattern` when it matched one: then its URL came from a token, and no address of a private network is asked. */
  readonly from: 'configuration' | 'pattern'
}

/** A family of issuers under one pattern: `*` stands for one or more of `A-Z a-z 0-9 - _`. */
export type MetaIssuer = { readonly pattern: string; readonly settings: Omit<Issuer, 'url' | 'from'> }

/** All issuers. No other issuer is ever asked for anything. */
export type IssuerConfiguration = { readonly exact: ReadonlyMap<string, Issuer>; readonly meta: readonly MetaIssuer[] }

const maxIssuerCharacters = 1024

/** The issuer of this URL, which came from a token. Exact ones first, then patterns in their order, anchored at both ends. */
export function findIssuer(configuration: IssuerConfiguration, url: string): Issuer | undefined {
  if (url.length > maxIssuerCharacters) return undefined
  const exact = configuration.exact.get(url)
  if (exact !== undefined) return exact
  const meta = configuration.meta.find(({ pattern }) => matchesPattern(pattern, url))
  return meta && { ...meta.settings, url, from: 'pattern' }
}

/**
 * Whether a URL matches a pattern as a whole. Hostile: without anchors a URL that merely contains the pattern would match. Greedy without
 * backtracking is exact here: a star never matches the character after it in a pattern, which is punctuation or the end.
 */
export function matchesPattern(pattern: string, url: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  if (!url.startsWith(first)) return false
  let at = first.length
  for (const literal of rest) {
    const start = at
    while (isWordCharacter(url.charCodeAt(at))) at++
    if (at === start || !url.startsWith(literal, at)) return false
    at += literal.length
  }
  return at === url.length
}

/**
 * Whether a pattern can be matched without backtracking, and by nobody but the owner of one domain: no star touches a character that a star
 * could match, and after the last star in the host there are two labels at least.
 */
export function isSoundPattern(pattern: string): boolean {
  const parts = pattern.split('*')
  const host = /^https:\/\/([^/?#@\s]+)(?:\/[^?#\s]*)?$/.exec(pattern)?.[1]
  if (host === undefined || parts.length > 8 || parts.length < 2) return false
  const end = host.slice(host.lastIndexOf('*') + 1)
  if (host.includes('*') && !/^(?:\.[a-z0-9-]+){2,10}(?::[0-9]{1,5})?$/.test(end)) return false
  return parts.slice(1).every((literal, i) => (literal === '' ? i === parts.length - 2 : !isWordCharacter(literal.charCodeAt(0))))
}

function isWordCharacter(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code === 0x2d || code === 0x5f
  )
}
