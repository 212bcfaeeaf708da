/**
 * Reads the issuers from a configuration in the shape of Fulcio's own (`oidc-issuers`, `meta-issuers`, `ci-issuer-metadata`), with a few members more:
 * `template-values` (the URL of a self-hosted GitLab), `jwks` (keys that are never fetched).
 */
import { unreachable } from '@countersign/core/failure'
import { decodePem } from '@countersign/core/pem'
import type { JsonValue } from '@countersign/core/json/parse'
import {
  documentPlace,
  entries,
  isAbsent,
  members,
  nonEmptyText,
  oneOf,
  optional,
  readObject,
  refuse,
  text,
  type Members,
  type Place,
} from '@countersign/core/json/shape'
import { readCiKind, readMappings, type MappingTable } from './read-mappings.ts'
import { isSoundPattern, type Issuer, type IssuerConfiguration, type IssuerKind } from './model.ts'
import { parseHttpUrl, sameDomain } from './url.ts'

const maxIssuers = 500

const fields = [
  'issuer-url',
  'client-id',
  'type',
  'ci-provider',
  'issuer-claim',
  'subject-domain',
  'spiffe-trust-domain',
  'challenge-claim',
  'ca-cert',
  'skip-email-verification',
  'environment',
  'contact',
  'description',
  'template-values',
  'jwks',
] as const

/** What older configurations of the reference call kinds are mappings here. */
const legacyTypes = ['github-workflow', 'gitlab-pipeline', 'buildkite-job', 'codefresh-workflow', 'chainguard-identity'] as const
const types = ['email', 'spiffe', 'kubernetes', 'uri', 'username', 'ci-provider', ...legacyTypes] as const

/** Reads the configuration of issuers, a plain value. Throws `config_malformed`, whose text begins with the place. */
export function readIssuers(value: JsonValue): IssuerConfiguration {
  const at = documentPlace(value, 'config_malformed')
  const field = members(at, ['define', 'oidc-issuers', 'meta-issuers', 'ci-issuer-metadata'])
  const mappings = readMappings(field('ci-issuer-metadata'))
  const exact = new Map<string, Issuer>()
  for (const [url, place] of optionalEntries(field('oidc-issuers'))) exact.set(url, readExact(url, place, mappings))
  const meta = optionalEntries(field('meta-issuers')).map(([pattern, place]) => {
    if (!isSoundPattern(pattern))
      refuse(place, 'not a pattern of issuers', { expected: 'https, stars that stand alone between punctuation, and a domain' })
    const settings = readSettings(place, mappings)
    if (settings.kind.type === 'spiffe') refuse(place, 'a trust domain has one issuer: a SPIFFE issuer cannot be a pattern')
    return { pattern, settings }
  })
  return { exact, meta }
}

function optionalEntries(at: Place): readonly (readonly [string, Place])[] {
  return isAbsent(at) ? [] : entries(at, maxIssuers)
}

function readExact(url: string, at: Place, mappings: MappingTable): Issuer {
  const parsed = parseHttpUrl(url)
  if (parsed === undefined)
    return refuse(at, 'not the URL of an issuer', { expected: 'an https URL (http on loopback alone) without query' })
  const settings = readSettings(at, mappings)
  const written = optional(members(at, fields)('issuer-url'), text)
  if (written !== undefined && written !== url)
    refuse(at, 'issuer-url differs from the name of the entry', { expected: url, found: written })
  const { kind } = settings
  // As the reference: who configures a domain of subjects has shown that the issuer and the domain are of one owner.
  if (kind.type === 'uri' || kind.type === 'username') {
    const host = kind.type === 'uri' ? parseHttpUrl(kind.subjectDomain)?.hostname : kind.subjectDomain
    if (host === undefined || !sameDomain(host, parsed.hostname)) refuse(at, 'subject-domain is not a domain of the issuer')
  }
  return { ...settings, url, from: 'configuration' }
}

function readSettings(at: Place, mappings: MappingTable): Omit<Issuer, 'url' | 'from'> {
  const field = members(at, fields)
  return {
    audience: nonEmptyText(field('client-id')),
    kind: readKind(at, field, mappings),
    challengeClaim: optional(field('challenge-claim'), (place) => oneOf(place, ['email', 'sub'])),
    caCertificates: optional(field('ca-cert'), readAuthorities),
    staticKeys: optional(field('jwks'), readStaticKeys),
  }
}

function readKind(at: Place, field: Members, mappings: MappingTable): IssuerKind {
  const type = oneOf(field('type'), types)
  if (type !== 'email' && !isAbsent(field('issuer-claim'))) refuse(field('issuer-claim'), 'only email issuers name their issuer in a claim')
  switch (type) {
    case 'email':
      return {
        type,
        issuerClaim: optional(field('issuer-claim'), readPath),
        skipEmailVerification: optional(field('skip-email-verification'), readBoolean) ?? false,
      }
    case 'spiffe':
      return { type, trustDomain: readTrustDomain(field('spiffe-trust-domain')) }
    case 'kubernetes':
      return { type }
    case 'uri':
      return { type, subjectDomain: readSubjectUrl(field('subject-domain')) }
    case 'username':
      return { type, subjectDomain: readSubjectHost(field('subject-domain')) }
    case 'ci-provider':
      return readCiKind(at, nonEmptyText(field('ci-provider')), field('template-values'), mappings)
    case 'github-workflow':
    case 'gitlab-pipeline':
    case 'buildkite-job':
    case 'codefresh-workflow':
    case 'chainguard-identity':
      return readCiKind(at, type, field('template-values'), mappings)
    default:
      return unreachable(type)
  }
}

/** `$.a.b`: names alone. */
function readPath(at: Place): readonly string[] {
  const match = /^\$((?:\.[A-Za-z_][A-Za-z0-9_-]{0,63}){1,8})$/.exec(text(at))
  if (match === null) return refuse(at, 'not the path of a claim', { expected: '$.name.name' })
  return (match[1] as string).slice(1).split('.')
}

function readBoolean(at: Place): boolean {
  return typeof at.value === 'boolean' ? at.value : refuse(at, 'expected true or false')
}

/** SPIFFE ID §2.1: at most 255 characters. */
function readTrustDomain(at: Place): string {
  const domain = text(at)
  return /^[a-z0-9._-]{1,255}$/.test(domain) ? domain : refuse(at, 'not a SPIFFE trust domain')
}

function readSubjectUrl(at: Place): string {
  const url = text(at)
  return parseHttpUrl(url) === undefined ? refuse(at, 'not a URL', { expected: 'scheme and host, as https://example.com' }) : url
}

function readSubjectHost(at: Place): string {
  const host = text(at)
  return /^[a-z0-9-]+(?:\.[a-z0-9-]+){1,10}$/.test(host) ? host : refuse(at, 'not a domain', { expected: 'a host name without scheme' })
}

function readAuthorities(at: Place): string {
  const pem = text(at)
  if (decodePem(pem, 'CERTIFICATE').length > 20) refuse(at, 'more than 20 certificates')
  return pem
}

/** A JWK set, as a value or as text; its keys are read when the issuer is first used. */
function readStaticKeys(at: Place): string {
  if (typeof at.value === 'string') return at.value
  readObject(at)
  return JSON.stringify(at.value)
}
