import { importJWK, jwtVerify, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonValue } from '@countersign/core/json/parse'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import { readIssuers } from '../../src/ca/issuers/read-configuration.ts'
import { documentFetcher } from '../../src/ca/tokens/documents.ts'
import { issuerKeys } from '../../src/ca/tokens/issuer-keys.ts'
import { tokenVerifier, type TokenVerifier } from '../../src/ca/tokens/verify-token.ts'
import { hmacToken, jwkOf, newProviderKey, segment, signedToken, startProvider, type Provider } from './identity-provider.ts'
import { rejection } from './refusals.ts'

const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']

describe('identity tokens', () => {
  let now = Date.UTC(2026, 5, 1)
  const seconds = (): number => Math.floor(now / 1000)
  let provider: Provider
  let other: Provider
  let verify: TokenVerifier
  const fetcher = documentFetcher()

  function verifierOf(issuers: JsonValue): TokenVerifier {
    return tokenVerifier({
      issuers: readIssuers(issuers),
      keys: issuerKeys({ fetch: fetcher.fetch, now: () => now }),
      primitives: serverPrimitives,
      now: () => now,
    })
  }

  beforeAll(async () => {
    provider = await startProvider(
      algorithms.map((name) => newProviderKey(`key-${name}`, name)),
      () => now,
    )
    other = await startProvider(undefined, () => now)
    const issuer = { 'client-id': 'sigstore', type: 'email' }
    verify = verifierOf({ 'oidc-issuers': { [provider.url]: issuer, [other.url]: issuer } })
  })
  afterAll(async () => {
    await provider.close()
    await other.close()
    await fetcher.close()
  })

  const key = (name = 'ES256') => provider.keys[algorithms.indexOf(name)] ?? newProviderKey('none')
  const claims = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
    iss: provider.url,
    aud: 'sigstore',
    sub: 's',
    exp: seconds() + 60,
    iat: seconds(),
    ...more,
  })
  const signed = (more: Record<string, unknown>, header: Record<string, unknown> = {}): string =>
    signedToken(key(), { alg: 'ES256', kid: 'key-ES256', ...header }, claims(more))

  it.each(algorithms)('hold under %s, as jose agrees', async (name) => {
    const token = provider.token({ sub: 's' }, { key: key(name) })
    expect((await verify(token)).claims['sub']).toBe('s')
    const jwk = await importJWK(jwkOf(key(name)) as never, name)
    await expect(jwtVerify(token, jwk, { audience: 'sigstore', currentDate: new Date(now) })).resolves.toBeDefined()
  })

  it('that jose makes hold', async () => {
    const jose = new SignJWT({ sub: 's' })
      .setProtectedHeader({ alg: 'RS256', kid: 'key-RS256' })
      .setIssuer(provider.url)
      .setAudience('sigstore')
      .setExpirationTime(seconds() + 60)
    expect((await verify(await jose.sign(key('RS256').privateKey))).issuer.url).toBe(provider.url)
  })

  describe('under attack', () => {
    it('"alg: none": unsigned tokens are nothing', async () => {
      for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
        expect(await rejection(verify(`${segment({ alg })}.${segment(claims())}.`))).toMatch(
          /identity_token_malformed|identity_algorithm_refused/,
        )
        expect(await rejection(verify(`${segment({ alg })}.${segment(claims())}.AA`))).toBe('identity_algorithm_refused')
      }
    })

    it('HS256 with the public key as secret: what everybody knows signs nothing', async () => {
      const { publicKey } = key('RS256')
      for (const secret of [publicKey.export({ type: 'spki', format: 'pem' }), publicKey.export({ type: 'spki', format: 'der' }), '']) {
        for (const alg of ['HS256', 'HS384', 'HS512']) {
          expect(await rejection(verify(hmacToken(secret, { alg, kid: 'key-RS256' }, claims())))).toBe('identity_algorithm_refused')
        }
        expect(await rejection(verify(hmacToken(secret, { alg: 'RS256', kid: 'key-RS256' }, claims())))).toBe('identity_signature_invalid')
      }
    })

    it('key confusion: a name that another key has, a key of another kind, a key that the token brings along', async () => {
      const stranger = newProviderKey('stranger')
      const body = claims()
      expect(await rejection(verify(signedToken(stranger, { alg: 'ES256', kid: 'key-ES256' }, body)))).toBe('identity_signature_invalid')
      expect(await rejection(verify(signedToken(stranger, { alg: 'ES256', kid: 'stranger' }, body)))).toBe('identity_key_unknown')
      expect(await rejection(verify(signedToken(key(), { alg: 'ES256', kid: 'key-RS256' }, body)))).toBe('identity_key_unknown')
      expect(await rejection(verify(signedToken(key(), { alg: 'RS256', kid: 'key-ES256' }, body)))).toBe('identity_key_unknown')
      expect(await rejection(verify(signedToken(stranger, { alg: 'ES256', kid: 'key-ES256', jwk: jwkOf(stranger) }, body)))).toBe(
        'identity_signature_invalid',
      )
      expect(await rejection(verify(signedToken(stranger, { alg: 'ES256', kid: 'key-ES256', jku: `${other.url}/keys` }, body)))).toBe(
        'identity_signature_invalid',
      )
    })

    it('key names that are paths or objects do nothing', async () => {
      for (const kid of ['../../keys', '__proto__', 'constructor', "' or 1=1 --"]) {
        expect(await rejection(verify(signedToken(key(), { alg: 'ES256', kid }, claims())))).toBe('identity_key_unknown')
      }
      for (const kid of [7, null, {}, ['key-ES256'], 'x'.repeat(600)]) {
        expect(await rejection(verify(signedToken(key(), { alg: 'ES256', kid }, claims())))).toBe('identity_token_malformed')
      }
    })

    it('a token without key name is tried under the keys of its algorithm alone', async () => {
      expect((await verify(signedToken(key(), { alg: 'ES256' }, claims()))).claims['sub']).toBe('s')
      expect(await rejection(verify(signedToken(newProviderKey('x'), { alg: 'ES256' }, claims())))).toBe('identity_signature_invalid')
    })

    it('one issuer speaks not for another', async () => {
      const token = signedToken(other.keys[0] ?? key(), { alg: 'ES256', kid: 'one' }, claims())
      expect(await rejection(verify(token))).toBe('identity_key_unknown')
    })

    it('issuers that only look like ours, and issuers that are no text', async () => {
      const { url } = provider
      for (const iss of [
        `${url}/`,
        `${url}.evil.org`,
        `${url}@evil.org`,
        `${url}#x`,
        ` ${url}`,
        `${url}\0`,
        url.toUpperCase(),
        '',
        undefined,
        null,
        7,
        [url],
        { url },
      ]) {
        expect(await rejection(verify(signed({ iss })))).toBe('identity_issuer_unknown')
      }
    })

    it('audiences that are not exactly ours: lists with others, nested lists, parts, other types', async () => {
      for (const aud of [
        'sigstore ',
        'SIGSTORE',
        'sigstore2',
        'sig',
        '',
        ['sigstore', 'other'],
        ['other', 'sigstore'],
        ['sigstore', 'sigstore'],
        [['sigstore']],
        { sigstore: true },
        [],
        null,
        7,
        true,
        undefined,
      ]) {
        expect(await rejection(verify(signed({ aud })))).toBe('identity_audience_mismatch')
      }
      expect((await verify(signed({ aud: ['sigstore'] }))).claims['sub']).toBe('s')
    })

    it('times: past, future, missing, and no numbers', async () => {
      expect(await rejection(verify(signed({ exp: seconds() })))).toBe('identity_token_expired')
      expect(await rejection(verify(signed({ exp: seconds() - 1 })))).toBe('identity_token_expired')
      expect(await rejection(verify(signed({ exp: undefined })))).toBe('identity_claim_missing')
      expect(await rejection(verify(signed({ nbf: seconds() + 120 })))).toBe('identity_token_early')
      expect(await rejection(verify(signed({ iat: seconds() + 120 })))).toBe('identity_token_early')
      expect((await verify(signed({ nbf: seconds() + 30 }))).claims['sub']).toBe('s')
      for (const exp of ['9999999999', 1e300, -1, null, [seconds() + 60], true]) {
        expect(await rejection(verify(signed({ exp })))).toBe('identity_token_malformed')
      }
    })

    it('two members of one name, of which one reader takes the first and another the last', async () => {
      const body = `{"iss":"${provider.url}","iss":"${other.url}","aud":"sigstore","exp":${seconds() + 60}}`
      expect(await rejection(verify(signedToken(key(), { alg: 'ES256', kid: 'key-ES256' }, body)))).toBe('identity_token_malformed')
      expect(await rejection(verify(signedToken(key(), '{"alg":"ES256","alg":"none"}', claims())))).toBe('identity_token_malformed')
    })

    it('second spellings: padding, the other alphabet, line breaks, unused bits, more parts', async () => {
      const token = signed({})
      const [header = '', payload = '', signature = ''] = token.split('.')
      for (const text of [
        `${token}.`,
        `${token}=`,
        ` ${token}`,
        `${token}\n`,
        `${header}.${payload}`,
        `${header}.${payload}.`,
        `.${payload}.${signature}`,
        `${header}..${signature}`,
        `${header}.${payload}.${signature}.${signature}`,
        `${header}.${payload}.${signature.slice(0, -1)}`,
        `${header}=.${payload}.${signature}`,
        `${header}.${payload}.+${signature.slice(1)}`,
      ]) {
        expect(await rejection(verify(text))).toBe('identity_token_malformed')
      }
    })

    it('headers that demand what is not supported', async () => {
      for (const header of [
        { crit: ['b64'] },
        { b64: false },
        { zip: 'DEF' },
        { enc: 'A256GCM' },
        { typ: 'JWE' },
        { typ: 7 },
        { alg: ['ES256'] },
      ]) {
        expect(await rejection(verify(signed({}, header)))).toBe('identity_token_malformed')
      }
    })

    it('tokens that are too long, too deep or too full', async () => {
      expect(await rejection(verify(signed({ x: 'y'.repeat(20_000) })))).toBe('identity_token_malformed')
      expect(await rejection(verify(signed({ x: JSON.parse('['.repeat(10) + ']'.repeat(10)) })))).toBe('identity_token_malformed')
      expect(await rejection(verify(signed({ x: Array.from({ length: 2000 }, () => 1) })))).toBe('identity_token_malformed')
      expect(await rejection(verify('x'.repeat(1_000_000)))).toBe('identity_token_malformed')
    })

    it('tokens of more than 16,384 characters, and of no fewer', async () => {
      const rest = signed({ x: '' }).length
      const padded = Array.from({ length: 8 }, (_, i) => signed({ x: 'y'.repeat(Math.floor(((16_384 - rest) * 3) / 4) - 4 + i) }))
      const over = padded.findIndex(({ length }) => length > 16_384)
      const [longest = '', longer = ''] = padded.slice(over - 1, over + 1)
      expect(longer.length - longest.length).toBeLessThanOrEqual(2)
      expect((await verify(longest)).claims['sub']).toBe('s')
      expect(await rejection(verify(longer))).toBe('identity_token_malformed')
    })

    it('a changed token does not hold, and an ECDSA signature in DER is none here', async () => {
      const [header, payload, signature = ''] = signed({}).split('.')
      expect(await rejection(verify(`${header}.${segment(claims({ sub: 'admin' }))}.${signature}`))).toBe('identity_signature_invalid')
      expect(await rejection(verify(`${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`))).toBe('identity_signature_invalid')
      expect(
        await rejection(
          verify(`${header}.${payload}.${Buffer.concat([Buffer.from(signature, 'base64url'), Buffer.alloc(1)]).toString('base64url')}`),
        ),
      ).toBe('identity_signature_invalid')
    })
  })

  it('never tell a part of themselves in a failure', async () => {
    const token = signedToken(newProviderKey('x'), { alg: 'ES256', kid: 'key-ES256' }, claims({ secret: 'hunter2' }))
    for (const text of [token, `${token}.`, token.slice(0, 50), signed({ aud: 'other' }), signed({ exp: 1 })]) {
      const failure = await verify(text).then(
        () => '',
        (cause: unknown) => JSON.stringify(cause) + String(cause) + String((cause as Error).cause),
      )
      for (const part of text.split('.').filter((each) => each.length > 8)) expect(failure.includes(part)).toBe(false)
    }
  })

  it('of an algorithm that the issuer does not announce are refused', async () => {
    const quiet = await startProvider([newProviderKey('a', 'RS256'), newProviderKey('b', 'ES256')], () => now)
    quiet.answers.set('/.well-known/openid-configuration', () => ({ body: { issuer: quiet.url, jwks_uri: `${quiet.url}/keys` } }))
    const verifyQuiet = verifierOf({ 'oidc-issuers': { [quiet.url]: { 'client-id': 'sigstore', type: 'email' } } })
    expect((await verifyQuiet(quiet.token({ sub: 's' }))).claims['sub']).toBe('s')
    expect(await rejection(verifyQuiet(quiet.token({ sub: 's' }, { key: quiet.keys[1] as never })))).toBe('identity_algorithm_refused')
    await quiet.close()
  })

  it('are verified in an air gap with configured keys, and nothing is fetched', async () => {
    const offline = newProviderKey('offline')
    const url = 'https://offline.example.com'
    const issuer = { 'client-id': 'sigstore', type: 'email', jwks: { keys: [jwkOf(offline) as JsonValue] } }
    const verifyOffline = verifierOf({ 'oidc-issuers': { [url]: issuer } })
    expect((await verifyOffline(signedToken(offline, { alg: 'ES256', kid: 'offline' }, claims({ iss: url })))).issuer.url).toBe(url)
    expect(
      await rejection(verifyOffline(signedToken(newProviderKey('offline'), { alg: 'ES256', kid: 'offline' }, claims({ iss: url })))),
    ).toBe('identity_signature_invalid')
    expect(await rejection(verifyOffline(signedToken(offline, { alg: 'ES256', kid: 'unknown' }, claims({ iss: url }))))).toBe(
      'identity_key_unknown',
    )
    now += 1000
  })

  /** Verifies with keys that are configured: these. */
  function offlineWith(keys: readonly JsonValue[]): { readonly url: string; readonly verify: TokenVerifier } {
    const url = 'https://offline.example.com'
    return { url, verify: verifierOf({ 'oidc-issuers': { [url]: { 'client-id': 'sigstore', type: 'email', jwks: { keys: [...keys] } } } }) }
  }

  it('are tried under eight keys of one name, and no more: what follows would be work for nothing', async () => {
    const namesakes = Array.from({ length: 9 }, () => newProviderKey('one'))
    const { url, verify: verifyOffline } = offlineWith(namesakes.map((each) => jwkOf(each) as JsonValue))
    const tokenBy = (at: number): string => signedToken(namesakes[at] ?? key(), { alg: 'ES256', kid: 'one' }, claims({ iss: url }))
    expect((await verifyOffline(tokenBy(7))).issuer.url).toBe(url)
    expect(await rejection(verifyOffline(tokenBy(8)))).toBe('identity_signature_invalid')
  })

  it('are not tried under a key that is for another algorithm', async () => {
    const pss = newProviderKey('one', 'RS256')
    const { url, verify: verifyOffline } = offlineWith([{ ...(jwkOf(pss) as { readonly [name: string]: JsonValue }), alg: 'PS256' }])
    const token = signedToken(pss, { alg: 'RS256', kid: 'one' }, claims({ iss: url }))
    expect(await rejection(verifyOffline(token))).toBe('identity_key_unknown')
  })

  it('that name a key are not tried under a key without a name', async () => {
    const offline = newProviderKey('offline')
    const url = 'https://offline.example.com'
    const { kid: _kid, ...unnamed } = jwkOf(offline)
    const issuer = { 'client-id': 'sigstore', type: 'email', jwks: { keys: [unnamed as JsonValue] } }
    const verifyOffline = verifierOf({ 'oidc-issuers': { [url]: issuer } })
    expect((await verifyOffline(signedToken(offline, { alg: 'ES256' }, claims({ iss: url })))).issuer.url).toBe(url)
    expect(await rejection(verifyOffline(signedToken(offline, { alg: 'ES256', kid: 'offline' }, claims({ iss: url }))))).toBe(
      'identity_key_unknown',
    )
  })
})
