import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { JsonValue } from '@countersign/core/json/parse'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import { readIssuers } from '../../src/ca/issuers/read-configuration.ts'
import { isPublicAddress } from '../../src/ca/tokens/addresses.ts'
import { documentFetcher, type FetchDocument } from '../../src/ca/tokens/documents.ts'
import { issuerKeys } from '../../src/ca/tokens/issuer-keys.ts'
import { tokenVerifier, type TokenVerifier } from '../../src/ca/tokens/verify-token.ts'
import { jwkOf, newProviderKey, signedToken, startProvider, type Provider } from './identity-provider.ts'
import { rejection } from './refusals.ts'

const fetcher = documentFetcher()
afterAll(fetcher.close)

describe('the keys of issuers', () => {
  let now = Date.UTC(2026, 5, 1)
  let provider: Provider
  let verify: TokenVerifier

  function verifierOf(issuers: JsonValue, fetch: FetchDocument = fetcher.fetch): TokenVerifier {
    return tokenVerifier({
      issuers: readIssuers(issuers),
      keys: issuerKeys({ fetch, now: () => now }),
      primitives: serverPrimitives,
      now: () => now,
    })
  }

  beforeEach(async () => {
    provider = await startProvider(undefined, () => now)
    verify = verifierOf({ 'oidc-issuers': { [provider.url]: { 'client-id': 'sigstore', type: 'email' } } })
  })
  afterEach(async () => provider.close())

  it('are fetched once for all who wait, and kept', async () => {
    await Promise.all(Array.from({ length: 20 }, async () => verify(provider.token({ sub: 's' }))))
    await verify(provider.token({ sub: 's' }))
    expect(provider.requests).toHaveLength(2)
  })

  it('are fetched again when the issuer has rotated', async () => {
    await verify(provider.token({ sub: 's' }))
    now += 60_000
    provider.keys.unshift(newProviderKey('two'))
    expect((await verify(provider.token({ sub: 's' }))).claims['sub']).toBe('s')
    expect(provider.requests).toHaveLength(4)
  })

  it('are not fetched for each token with an unknown key: a stranger cannot make us hammer the issuer', async () => {
    await verify(provider.token({ sub: 's' }))
    now += 60_000
    const stranger = newProviderKey('stranger')
    for (let i = 0; i < 50; i++)
      expect(await rejection(verify(provider.token({ sub: 's' }, { key: stranger })))).toBe('identity_key_unknown')
    expect(provider.requests).toHaveLength(4)
  })

  it('serve on while the issuer cannot be reached, and not for ever', async () => {
    await verify(provider.token({ sub: 's' }))
    provider.answers.set('/keys', () => ({ status: 503, body: {} }))
    now += 61 * 60_000
    expect((await verify(provider.token({ sub: 's' }))).claims['sub']).toBe('s')
    now += 61 * 60_000
    expect(await rejection(verify(provider.token({ sub: 's' })))).toBe('identity_issuer_unavailable')
  })

  it('that cannot be had are not asked for again at once', async () => {
    provider.answers.set('/keys', () => ({ status: 500, body: {} }))
    for (let i = 0; i < 10; i++) expect(await rejection(verify(provider.token({ sub: 's' })))).toBe('identity_issuer_unavailable')
    expect(provider.requests).toHaveLength(2)
  })

  it.each<[string, unknown]>([
    ['another issuer', { issuer: 'https://other.example.com', jwks_uri: 'https://other.example.com/keys' }],
    ['no keys', { issuer: '$URL' }],
    ['keys over plain http elsewhere', { issuer: '$URL', jwks_uri: 'http://keys.example.com/keys' }],
    ['keys at the metadata address of a cloud', { issuer: '$URL', jwks_uri: 'http://169.254.169.254/latest' }],
    ['keys at the metadata address of a cloud, over https', { issuer: '$URL', jwks_uri: 'https://169.254.169.254/latest' }],
    ['keys in a private network', { issuer: '$URL', jwks_uri: 'https://10.0.0.1/keys' }],
    ['keys in a file', { issuer: '$URL', jwks_uri: 'file:///etc/passwd' }],
    ['a document that is no JSON', 'nothing'],
    ['two issuers in one document', '{"issuer":"$URL","issuer":"x","jwks_uri":"$URL/keys"}'],
    ['a document without end', ' '.repeat(300_000)],
  ])('are not taken from a document that names %s', async (_, document) => {
    const body: unknown = JSON.parse(JSON.stringify(document).replaceAll('$URL', provider.url))
    provider.answers.set('/.well-known/openid-configuration', () => ({ body }))
    expect(await rejection(verify(provider.token({ sub: 's' })))).toBe('identity_issuer_unavailable')
  })

  it('are not taken from where a redirect leads: to another host, to cloud metadata, in a circle', async () => {
    const elsewhere = await startProvider(undefined, () => now)
    for (const location of [
      `${elsewhere.url}/keys`,
      'http://169.254.169.254/latest/meta-data',
      `${provider.url}/keys`,
      '//evil.example',
      '',
    ]) {
      now += 60_000
      provider.answers.set('/keys', () => ({ status: 302, headers: { location }, body: {} }))
      expect(await rejection(verify(provider.token({ sub: 's' })))).toBe('identity_issuer_unavailable')
    }
    expect(elsewhere.requests).toEqual([])
    await elsewhere.close()
  })

  it('are taken from another path of the same host after a redirect', async () => {
    provider.answers.set('/keys', () => ({ status: 307, headers: { location: '/moved' }, body: {} }))
    provider.answers.set('/moved', () => ({ body: { keys: provider.keys.map(jwkOf) } }))
    expect((await verify(provider.token({ sub: 's' }))).claims['sub']).toBe('s')
  })

  it('for encryption, symmetric ones and weak ones are none', async () => {
    const [key] = provider.keys
    const jwk = jwkOf(key as never)
    const unusable = [
      { ...jwk, use: 'enc' },
      { ...jwk, key_ops: ['sign'] },
      { kty: 'oct', k: 'AAAA', kid: 'one', alg: 'HS256' },
      { ...jwk, alg: 'RS256' },
      { ...jwk, x: 'AAAA' },
      { kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: 'one' },
      { kty: 'unknown' },
    ]
    provider.answers.set('/keys', () => ({ body: { keys: unusable } }))
    expect(await rejection(verify(provider.token({ sub: 's' })))).toBe('identity_key_unknown')
  })

  it('of more than 64 are refused', async () => {
    provider.answers.set('/keys', () => ({ body: { keys: Array.from({ length: 65 }, () => jwkOf(provider.keys[0] as never)) } }))
    expect(await rejection(verify(provider.token({ sub: 's' })))).toBe('identity_issuer_unavailable')
  })

  it('of issuers that match a pattern are asked for at public addresses alone', async () => {
    const asked: string[] = []
    const key = newProviderKey('k')
    const patterns = verifierOf(
      { 'meta-issuers': { 'https://*.id.example.com': { 'client-id': 'sigstore', type: 'email' } } },
      async ({ url, addresses }) => {
        asked.push(`${addresses} ${url}`)
        const issuer = 'https://a.id.example.com'
        return {
          value: url.endsWith('/keys')
            ? { keys: [jwkOf(key) as JsonValue] }
            : { issuer, jwks_uri: `${issuer}/keys`, id_token_signing_alg_values_supported: ['ES256'] },
          maxAgeSeconds: 60,
        }
      },
    )
    const token = (host: string): string =>
      signedToken(key, { alg: 'ES256', kid: 'k' }, { iss: `https://${host}`, aud: 'sigstore', sub: 's', exp: now / 1000 + 60 })
    expect((await patterns(token('a.id.example.com'))).issuer.from).toBe('pattern')
    expect(asked).toEqual(['public https://a.id.example.com/.well-known/openid-configuration', 'public https://a.id.example.com/keys'])
    expect(await rejection(patterns(token('127.0.0.1')))).toBe('identity_issuer_unknown')
  })

  it('are not fetched from an address of this machine by a URL from outside, whatever name it has', async () => {
    const server = createServer((_request, response) => response.end('{}'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    for (const host of ['localhost', '127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', '0.0.0.0']) {
      for (const scheme of ['http', 'https']) {
        expect(await rejection(fetcher.fetch({ url: `${scheme}://${host}:${port}/x`, addresses: 'public' }))).toBe(
          'identity_issuer_unavailable',
        )
      }
    }
    server.close()
  })
})

describe('public addresses', () => {
  it.each(['8.8.8.8', '1.1.1.1', '2606:4700::1111', '172.32.0.1', '100.128.0.1'])('%s is one', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })

  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:169.254.169.254',
    'fe80::1',
    'fd00:ec2::254',
    'fc00::1',
    '::ffff:0:127.0.0.1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
    'ff02::1',
    'example.com',
    '',
  ])('%s is none', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })
})
