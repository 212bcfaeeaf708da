import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CountersignError } from '@countersign/core/failure'
import { derBitString, derNull, derOid, derSequence, derUnsignedInteger } from '@countersign/core/der/writer'
import type { JsonValue } from '@countersign/core/json/parse'
import { encodePem } from '@countersign/core/pem'
import { readAudit } from '../../src/base/audit/read-audit.ts'
import { requestIntermediate } from '../../src/ca/authority/create.ts'
import type { CertificateLog } from '../../src/ca/ports.ts'
import { newProviderKey, startProvider, type Provider } from './identity-provider.ts'
import { startCa, type CaPlatform } from './platform.ts'
import { newClientKey, pemOf, post, wishV2, type Answer, type ClientKey } from './signer.ts'

const email = 'ann@example.com'
const claims = { sub: 'user-1', email, email_verified: true }

/** A public RSA key of any numbers, SPKI, PEM. */
function rsaPem(modulus: bigint, exponent: bigint): string {
  const bytes = (value: bigint): Uint8Array => {
    const hex = value.toString(16)
    return new Uint8Array(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'))
  }
  const key = derSequence(derUnsignedInteger(bytes(modulus)), derUnsignedInteger(bytes(exponent)))
  return encodePem('PUBLIC KEY', derSequence(derSequence(derOid('1.2.840.113549.1.1.1'), derNull()), derBitString(key)))
}

function modulusOf(bits: number): bigint {
  const { n } = generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({ format: 'jwk' })
  return BigInt(`0x${Buffer.from(n ?? '', 'base64url').toString('hex')}`)
}

describe('requests for certificates under attack', () => {
  let provider: Provider
  let ca: CaPlatform
  let failing: CountersignError | undefined
  let issuers: JsonValue

  beforeAll(async () => {
    provider = await startProvider()
    issuers = { 'oidc-issuers': { [provider.url]: { 'client-id': 'sigstore', type: 'email' } } }
    const log = (real: CertificateLog): CertificateLog => ({
      publish: async (entry) => (failing === undefined ? real.publish(entry) : Promise.reject(failing)),
    })
    ca = await startCa({ issuers, log })
  })
  afterAll(async () => {
    await ca.close()
    await provider.close()
  })

  const ask = async (body: unknown, headers = {}): Promise<Answer> => post(`${ca.url}/fulcio/api/v2/signingCert`, body, headers)
  const withKey = (content: string, proof = 'AAAA'): unknown => ({
    credentials: { oidcIdentityToken: provider.token(claims) },
    publicKeyRequest: { publicKey: { content }, proofOfPossession: proof },
  })
  const treeSize = async (): Promise<number> => (await ca.ct.tree.checkpoint()).size

  it('answer with the shape of grpc-gateway: code, message of the reference, reason, and an id under which the audit log has it', async () => {
    const answer = await ask(wishV2(provider.token({ ...claims, aud: 'other' }), newClientKey(), email))
    expect(answer.status).toBe(400)
    const body = JSON.parse(answer.text) as {
      code: number
      message: string
      details: { reason: string; metadata: { auditId: string; expected: string } }[]
    }
    expect(body.code).toBe(3)
    expect(body.message).toContain('There was an error processing the identity token')
    expect(body.details[0]).toMatchObject({ reason: 'identity_audience_mismatch', metadata: { expected: 'sigstore' } })
    const records = await readAudit(ca.database)
    expect(records.find(({ id }) => id === body.details[0]?.metadata.auditId)).toMatchObject({
      action: 'ca.certificate_refused',
      outcome: 'refused',
    })
  })

  it.each<[string, string, Record<string, unknown>]>([
    ['an unknown issuer', 'identity_issuer_unknown', { iss: 'https://evil.example' }],
    ['an expired token', 'identity_token_expired', { exp: 1 }],
    ['an address that is not verified', 'identity_email_unverified', { email_verified: false }],
    ['no address', 'identity_claim_missing', { email: undefined }],
  ])('of %s name the reason', async (_, reason, changed) => {
    const answer = await ask(wishV2(provider.token({ ...claims, ...changed }), newClientKey(), email))
    expect([answer.status, answer.reason]).toEqual([400, reason])
  })

  it('never tell the token', async () => {
    const token = provider.token(claims, { key: newProviderKey('one') })
    const answer = await ask(wishV2(token, newClientKey(), email))
    expect(answer.reason).toBe('identity_signature_invalid')
    for (const part of token.split('.')) expect(answer.text.includes(part)).toBe(false)
  })

  it.each([
    ['a key in place of a certification request', 'pem_malformed', async () => pemOf(newClientKey())],
    ['two of them', 'certificate_request_malformed', async () => (await requestIntermediate(ca.workshop)).request.repeat(2)],
  ])('that hold %s get nothing', async (_, reason, request) => {
    const text = await request()
    const answer = await ask({ credentials: { oidcIdentityToken: provider.token(claims) }, certificateSigningRequest: btoa(text) })
    expect([answer.status, answer.reason]).toEqual([400, reason])
  })

  it('without proof, with that of another key, over another identity, or over the subject of an e-mail token get nothing', async () => {
    const before = await treeSize()
    const [key, other] = [newClientKey(), newClientKey()]
    const token = provider.token(claims)
    const mixed = (content: ClientKey, proof: Buffer): unknown => ({
      credentials: { oidcIdentityToken: token },
      publicKeyRequest: { publicKey: { content: pemOf(content) }, proofOfPossession: proof.toString('base64') },
    })
    for (const body of [
      mixed(key, other.prove(email)),
      mixed(key, key.prove('bob@example.com')),
      mixed(key, key.prove('user-1')),
      mixed(key, key.prove('')),
      mixed(key, key.prove(`${email}\n`)),
      mixed(key, Buffer.alloc(70)),
    ]) {
      const answer = await ask(body)
      expect([answer.status, answer.reason]).toEqual([400, 'possession_unproven'])
      expect(answer.text).toContain('The signature supplied in the request could not be verified')
    }
    expect(await treeSize()).toBe(before)
  })

  it('for keys that cannot be certified get nothing: weak RSA, small order, off the curve, other kinds', async () => {
    const n = modulusOf(2048)
    const fermat = (() => {
      const p = (3n << 1022n) + 1155n
      return p * (p + 2n)
    })()
    const p256 = newClientKey().publicKey.export({ type: 'spki', format: 'der' })
    const offCurve = Buffer.from(p256)
    offCurve[offCurve.length - 1] = (offCurve.at(-1) as number) ^ 1
    const small = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(`01${'00'.repeat(31)}`, 'hex')])
    const cases: readonly (readonly [string, string])[] = [
      [rsaPem(n, 3n), 'key_weak'],
      [rsaPem(n, 65_539n), 'key_weak'],
      [rsaPem(3n * ((n / 3n) | 1n), 65_537n), 'key_weak'],
      [rsaPem(fermat, 65_537n), 'key_weak'],
      [rsaPem(modulusOf(2056), 65_537n), 'key_weak'],
      [rsaPem(modulusOf(1024), 65_537n), 'key_unsupported'],
      [encodePem('PUBLIC KEY', new Uint8Array(offCurve)), 'key_malformed'],
      [encodePem('PUBLIC KEY', new Uint8Array(small)), 'key_weak'],
      [generateKeyPairSync('ed448').publicKey.export({ type: 'spki', format: 'pem' }) as string, 'key_unsupported'],
      [
        generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ type: 'spki', format: 'pem' }) as string,
        'key_unsupported',
      ],
      ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', 'key_malformed'],
      ['nonsense', 'key_malformed'],
      ['', 'key_malformed'],
      [newClientKey().privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 'key_unsupported'],
    ]
    for (const [content, reason] of cases) {
      const answer = await ask(withKey(content))
      expect([answer.status, answer.reason]).toEqual([400, reason])
    }
  })

  it('that are two things at once, or not what they should be, get nothing', async () => {
    const key = newClientKey()
    const token = provider.token(claims)
    const good = wishV2(token, key, email)
    const cases: readonly unknown[] = [
      '',
      'null',
      '[]',
      '"x"',
      '{',
      '{"credentials":1}',
      {},
      { credentials: { oidcIdentityToken: token } },
      { ...good, certificateSigningRequest: 'AAAA' },
      { ...good, publicKeyRequest: { publicKey: { content: 7 }, proofOfPossession: 'AAAA' } },
      { ...good, publicKeyRequest: { publicKey: { content: pemOf(key) }, proofOfPossession: 'not base64' } },
      `{"credentials":{"oidcIdentityToken":"a"},"credentials":{"oidcIdentityToken":${JSON.stringify(token)}}}`,
      `${'['.repeat(1000)}${']'.repeat(1000)}`,
    ]
    for (const body of cases) {
      const answer = await ask(body)
      expect(answer.status).toBe(400)
      expect(answer.reason).toMatch(/^(?:certificate_request_refused|identity_token_missing)$/)
      expect(answer.text.includes(token)).toBe(false)
    }
    const twice = await ask(good, { authorization: `Bearer ${provider.token({ ...claims, sub: 'other' })}` })
    expect([twice.status, twice.reason]).toEqual([400, 'certificate_request_refused'])
    const basic = await ask(wishV2(undefined, key, email), { authorization: `Basic ${token}` })
    expect([basic.status, basic.reason]).toEqual([400, 'identity_token_missing'])
  })

  it('larger than 4 MiB are not read', async () => {
    expect((await ask('x'.repeat(4 * 1024 * 1024 + 1))).status).toBe(413)
  })

  it('that cannot be logged get no certificate, and are told to come back', async () => {
    failing = new CountersignError('log_overloaded', 'too many entries wait')
    const answer = await ask(wishV2(provider.token(claims), newClientKey(), email))
    failing = undefined
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]/)
    expect(answer.chain).toEqual([])
    expect(JSON.parse(answer.text)).toMatchObject({ code: 14 })
  })

  it('that fail inside tell nothing of the inside', async () => {
    failing = new CountersignError('log_damaged', 'the secret path /data/tile is gone')
    const answer = await ask(wishV2(provider.token(claims), newClientKey(), email))
    failing = undefined
    expect(answer.status).toBe(500)
    expect(JSON.parse(answer.text)).toMatchObject({ code: 13 })
    expect(answer.text).not.toContain('/data/tile')
  })

  it('from other pages are let in by CORS, preflights too', async () => {
    const response = await fetch(`${ca.url}/fulcio/api/v2/signingCert`, {
      method: 'OPTIONS',
      headers: { origin: 'https://page.example', 'access-control-request-method': 'POST' },
    })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
  })

  it('of one identity beyond its rate get 429, code 8, and when to come back; others go on', async () => {
    const nowMs = Date.now()
    const rated = await startCa({ issuers, rate: { burst: 3, perMinute: 6 }, now: () => nowMs })
    const key = newClientKey()
    const askAs = async (name: string): Promise<Answer> =>
      post(`${rated.url}/fulcio/api/v2/signingCert`, wishV2(provider.token({ ...claims, email: name }), key, name))
    const answers = await Promise.all(Array.from({ length: 5 }, async () => askAs('eve@example.com')))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 429, 429])
    for (const { text, reason, headers } of answers.filter(({ status }) => status === 429)) {
      expect(JSON.parse(text)).toMatchObject({ code: 8 })
      expect([reason, headers.get('retry-after')]).toEqual(['issuance_throttled', '10'])
    }
    expect((await askAs('bob@example.com')).status).toBe(200)
    await rated.close()
  })

  it('give serial numbers that never repeat and cannot be guessed', async () => {
    const records = await readAudit(ca.database)
    const serials = records.filter(({ action }) => action === 'ca.certificate_issued').map(({ subject }) => subject)
    expect(new Set(serials).size).toBe(serials.length)
    expect(serials.every((serial) => /^[4-7][0-9a-f]{39}$/.test(serial))).toBe(true)
  })
})
