import { describe, expect, it } from 'vitest'
import type { JsonValue } from '@countersign/core/json/parse'
import { findIssuer, isSoundPattern, matchesPattern } from '../../src/ca/issuers/model.ts'
import { readIssuers } from '../../src/ca/issuers/read-configuration.ts'
import { parseHttpUrl, toCertificateUri } from '../../src/ca/issuers/url.ts'
import { refusal } from './refusals.ts'

const url = 'https://issuer.example.com'

function exact(fields: Readonly<Record<string, JsonValue>>, at = url): JsonValue {
  return { 'oidc-issuers': { [at]: { 'client-id': 'sigstore', ...fields } } }
}

function pattern(text: string): JsonValue {
  return { 'meta-issuers': { [text]: { 'client-id': 'sigstore', type: 'kubernetes' } } }
}

describe('the configuration of issuers', () => {
  it('is read in the shape of the reference', () => {
    const { exact: issuers, meta } = readIssuers({
      define: ['github-workflow'],
      'oidc-issuers': {
        'https://accounts.example.com': {
          'issuer-url': 'https://accounts.example.com',
          'client-id': 'sigstore',
          type: 'email',
          contact: 'a@b.c',
          description: 'x',
        },
        'https://dex.example.com/auth': { 'client-id': 'sigstore', type: 'email', 'issuer-claim': '$.federated_claims.connector_id' },
        'https://ci.example.com': { 'client-id': 'sigstore', type: 'ci-provider', 'ci-provider': 'own' },
        'https://old.example.com': { 'client-id': 'sigstore', type: 'github-workflow' },
      },
      'meta-issuers': { 'https://oidc.eks.*.amazonaws.com/id/*': { 'client-id': 'sigstore', type: 'kubernetes' } },
      'ci-issuer-metadata': {
        own: {
          'default-template-values': { url: 'https://ci.example.com' },
          'extension-templates': { 'build-trigger': 'event', 'run-invocation-uri': '{{ .url }}/{{ .run }}' },
          'subject-alternative-name-template': '{{ .url }}/{{ .job }}',
        },
      },
    })
    expect([...issuers.values()].map(({ kind }) => kind.type)).toEqual(['email', 'email', 'ci-provider', 'ci-provider'])
    expect(issuers.get('https://dex.example.com/auth')?.kind).toMatchObject({ issuerClaim: ['federated_claims', 'connector_id'] })
    expect(meta).toHaveLength(1)
  })

  it.each<[string, JsonValue]>([
    ['an unknown member', exact({ type: 'email', client_id: 'x' })],
    ['no audience', { 'oidc-issuers': { [url]: { type: 'email' } } }],
    ['an unknown kind', exact({ type: 'magic' })],
    ['http off loopback', exact({ type: 'email' }, 'http://issuer.example.com')],
    ['credentials in the URL', exact({ type: 'email' }, 'https://a:b@issuer.example.com')],
    ['a second spelling of a URL', exact({ type: 'email' }, 'https://ISSUER.example.com')],
    ['an issuer-url that is another', exact({ type: 'email', 'issuer-url': 'https://other.example.com' })],
    ['an issuer claim of what is no email issuer', exact({ type: 'kubernetes', 'issuer-claim': '$.iss' })],
    ['a path with an expression', exact({ type: 'email', 'issuer-claim': '$..iss' })],
    ['a SPIFFE issuer without trust domain', exact({ type: 'spiffe' })],
    ['a URI issuer of another owner', exact({ type: 'uri', 'subject-domain': 'https://other.org' })],
    ['a username issuer of another owner', exact({ type: 'username', 'subject-domain': 'other.org' })],
    ['a provider without mapping', exact({ type: 'ci-provider', 'ci-provider': 'unknown' })],
    ['a challenge claim that is none', exact({ type: 'email', 'challenge-claim': 'name' })],
    ['a CA certificate that is none', exact({ type: 'email', 'ca-cert': 'x' })],
    ['a URL of more than 1,024 characters', exact({ type: 'email' }, `${url}/${'x'.repeat(1024)}`)],
  ])('refuses %s', (_, value) => {
    expect(['config_malformed', 'pem_malformed']).toContain(refusal(() => readIssuers(value)))
  })

  it.each([
    'https://*',
    'https://*.com',
    'https://*a.example.com',
    'https://x.*',
    'http://*.example.com',
    'https://**.example.com',
    'https://e.com/*?x',
    'https://example.com',
    `https://issuer.example.com${'/*'.repeat(8)}`,
  ])('refuses the pattern %s, which others could match or nobody needs', (text) => {
    expect(refusal(() => readIssuers(pattern(text))) ?? (isSoundPattern(text) ? 'sound' : 'unsound')).toBe('config_malformed')
  })

  it('refuses a SPIFFE issuer as a pattern: a trust domain has one issuer', () => {
    const value = {
      'meta-issuers': { 'https://*.spire.example.com': { 'client-id': 's', type: 'spiffe', 'spiffe-trust-domain': 'example.com' } },
    }
    expect(refusal(() => readIssuers(value))).toBe('config_malformed')
  })
})

describe('which issuer a token is of', () => {
  const configuration = readIssuers({
    'oidc-issuers': { [url]: { 'client-id': 'exact', type: 'email' } },
    'meta-issuers': { 'https://oidc.eks.*.amazonaws.com/id/*': { 'client-id': 'meta', type: 'kubernetes' } },
  })

  it('is said by the configuration, exactly or by a pattern', () => {
    expect(findIssuer(configuration, url)).toMatchObject({ audience: 'exact', from: 'configuration' })
    const found = findIssuer(configuration, 'https://oidc.eks.us-west-2.amazonaws.com/id/B02C93')
    expect(found).toMatchObject({ audience: 'meta', from: 'pattern', url: 'https://oidc.eks.us-west-2.amazonaws.com/id/B02C93' })
  })

  it.each([
    `${url}.evil.org`,
    `${url}/`,
    `${url}/path`,
    `${url}@evil.org`,
    'https://evil.org/https://issuer.example.com',
    'HTTPS://issuer.example.com',
    'https://issuer.example.com:443',
    'https://oidc.eks.a.b.amazonaws.com/id/X',
    'https://oidc.eks.us.amazonaws.com/id/X/more',
    'https://oidc.eks.us.amazonaws.com/id/',
    'https://oidc.eks..amazonaws.com/id/X',
    'https://oidc.eks.x@evil.org/.amazonaws.com/id/X',
    'https://evil.org/?https://oidc.eks.us.amazonaws.com/id/X',
    'https://oidc.eks.us.amazonaws.com/id/X?y',
    'https://oidc.eks.us.amazonaws.com/id/X\n',
    `https://oidc.eks.us.amazonaws.com/id/${'X'.repeat(1024)}`,
  ])('is nobody for %s', (attack) => {
    expect(findIssuer(configuration, attack)).toBeUndefined()
  })

  it('is found in linear time whatever a stranger names', () => {
    const text = `https://a.${'x'.repeat(900)}!`
    expect(matchesPattern('https://a.*.b.*.c.*.d.example.com', text)).toBe(false)
  })
})

describe('URIs in certificates', () => {
  it('are kept as they are, and what no URI has is percent-encoded', () => {
    expect(toCertificateUri('https://github.com/a/b/.github/workflows/x.yml@refs/heads/main')).toBe(
      'https://github.com/a/b/.github/workflows/x.yml@refs/heads/main',
    )
    expect(toCertificateUri('https://h/refs/heads/größe 1')).toBe('https://h/refs/heads/gr%C3%B6%C3%9Fe%201')
    expect(toCertificateUri('https://h/"<x>"')).toBe('https://h/%22%3Cx%3E%22')
    expect(toCertificateUri('p://organization/project/pipe line')).toBe('p://organization/project/pipe%20line')
  })

  it.each([
    'mailto:a@b.c',
    '/path',
    'https://',
    'https:///x',
    'https://a@b/x',
    'https://h/%zz',
    'https://h/a/../b',
    'https://h/./b',
    'https://h/\u0000',
    'https://h/\n',
    'https://h/\ud800',
    'https://hä/x',
    'https://h\\x/y',
    'javascript:alert(1)',
  ])('are not %j', (text) => {
    expect(toCertificateUri(text)).toBeUndefined()
  })

  it('are URLs of issuers only in one spelling', () => {
    expect(parseHttpUrl('https://a.example/b')?.href).toBe('https://a.example/b')
    expect(parseHttpUrl('http://127.0.0.1:8080')).toBeDefined()
    for (const text of [
      'https://a.example/b/../c',
      'https://a.example:443/',
      'https://a.example/?q',
      'https://a.example/#f',
      'ftp://a.example',
      'https://a.example\\@b',
      ' https://a.example',
    ]) {
      expect(parseHttpUrl(text)).toBeUndefined()
    }
  })
})
