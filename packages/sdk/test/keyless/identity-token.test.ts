import { describe, expect, it } from 'vitest'
import { readIdentityToken } from '../../src/keyless/identity-token.ts'
import { everythingIn, failureOf } from '../services/fake-service.ts'
import { tokenOf } from './tokens.ts'

const nowMs = Date.UTC(2026, 10, 20)
const exp = nowMs / 1000 + 60
const sound = { iss: 'https://sign.example/oidc', sub: 'user 7', exp }

describe('an identity token', () => {
  it.each([
    ['the subject', {}, 'user 7'],
    ['the address where the issuer verified it', { email: 'ada@example.org', email_verified: true }, 'ada@example.org'],
    ['the address where the issuer says so in words', { email: 'ada@example.org', email_verified: 'true' }, 'ada@example.org'],
    ['the subject where the address is not verified', { email: 'ada@example.org', email_verified: false }, 'user 7'],
    ['the subject where nothing is said of the address', { email: 'ada@example.org' }, 'user 7'],
    ['the subject where the address is none', { email: 7, email_verified: true }, 'user 7'],
  ])('is proved with %s', (_name, more, challenge) => {
    const token = tokenOf({ ...sound, ...more })
    expect(readIdentityToken(`\n${token}\n`, nowMs)).toEqual({ token, issuer: sound.iss, challenge, expiresAtMs: exp * 1000 })
  })

  it('is refused once it has ended, and says when', async () => {
    for (const ended of [exp - 60, exp - 61, 0]) {
      const failure = await failureOf(() => readIdentityToken(tokenOf({ ...sound, exp: ended }), nowMs))
      expect(failure.code).toBe('identity_token_expired')
      expect(failure.found).toContain(new Date(ended * 1000).toISOString())
    }
  })

  it.each<[string, string]>([
    ['no token', 'secret-secret-secret'],
    ['two parts', 'eyJzZWNyZXQ.eyJzZWNyZXQ'],
    ['four parts', 'a.eyJzZWNyZXQ.c.d'],
    ['nothing', ''],
    ['claims that are no base64', 'a.*secret*.c'],
    ['claims that are no JSON', `a.${Buffer.from('secret').toString('base64url')}.c`],
    ['claims that are a list', `a.${Buffer.from('["secret"]').toString('base64url')}.c`],
    ['a claim twice', `a.${Buffer.from('{"sub":"secret","sub":"other"}').toString('base64url')}.c`],
    ['no end', tokenOf({ iss: 'https://sign.example', sub: 'secret' })],
    ['an end in words', tokenOf({ ...sound, sub: 'secret', exp: 'tomorrow' })],
    ['no issuer', tokenOf({ sub: 'secret', exp })],
    ['no subject', tokenOf({ iss: 'https://sign.example/secret', exp })],
    ['an empty subject', tokenOf({ ...sound, iss: 'https://sign.example/secret', sub: '' })],
    ['too many characters', tokenOf({ ...sound, sub: 'secret', padding: 'x'.repeat(20_000) })],
  ])('is not made of %s, and no failure shows it', async (_name, token) => {
    const failure = await failureOf(() => readIdentityToken(token, nowMs))
    expect(failure.code).toBe('identity_token_malformed')
    expect(everythingIn(failure)).not.toMatch(/secret|c2VjcmV0/)
  })
})
