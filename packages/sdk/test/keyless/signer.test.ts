import { utf8 } from '@countersign/core/bytes'
import { encodePem } from '@countersign/core/pem'
import { parsePublicKeyPem } from '@countersign/core/keys/public-key'
import type { ServiceSelector, SigningConfig, SigningService } from '@countersign/core/trust/signing-config'
import { testSigner } from '@countersign/testkit/image-fixture'
import { describe, expect, it } from 'vitest'
import { signBlob } from '../../src/blob/sign.ts'
import { bytesBlobSource } from '../../src/blob/source.ts'
import { keylessSigner, type SigningSetup, recordedSigner } from '../../src/keyless/signer.ts'
import { certificateFor } from '../services/certificates.ts'
import { type Answer, everythingIn, failureOf, type FakeService, fakeService, testClient } from '../services/fake-service.ts'
import { tokenOf } from './tokens.ts'

const nowMs = Date.UTC(2026, 10, 20)
const token = tokenOf({ iss: 'https://sign.example/oidc', sub: 'ada', exp: nowMs / 1000 + 60 })
const service = (url: string, majorApiVersion = 1, operator = 'us'): SigningService => ({
  url,
  majorApiVersion,
  validFor: { start: 0 },
  operator,
})
const content = { kind: 'simple-signing', payload: utf8('payload'), signature: utf8('signature') } as const

/** A certificate authority that gives a certificate for whatever key. */
const authority = (): Promise<FakeService> =>
  fakeService(async ({ body }) => {
    const { publicKeyRequest } = JSON.parse(body) as { publicKeyRequest: { publicKey: { content: string } } }
    const publicKey = parsePublicKeyPem(publicKeyRequest.publicKey.content)
    const pem = encodePem('CERTIFICATE', await certificateFor({ publicKey }))
    return { body: { signedCertificateEmbeddedSct: { chain: { certificates: [pem] } } } }
  })

type Fakes = {
  readonly ca?: FakeService
  readonly logs?: readonly SigningService[]
  readonly stamps?: readonly SigningService[]
  readonly logSelector?: ServiceSelector
  readonly timestampSelector?: ServiceSelector
}

async function setup({ ca, logs = [], stamps = [], ...selectors }: Fakes): Promise<SigningSetup> {
  const config: SigningConfig = {
    caUrls: ca === undefined ? [] : [service(ca.url)],
    oidcUrls: [],
    logUrls: logs,
    timestampUrls: stamps,
    ...selectors,
  }
  const trustedRoot = { logs: [], certificateAuthorities: [], ctLogs: [], timestampAuthorities: [] }
  return { client: await testClient(), config, trustedRoot, nowMs: () => nowMs }
}

const refuses: Answer = { status: 400, body: { message: 'no' } }

describe('a keyless signer', () => {
  it('has one key and one certificate for all that it signs, and proves the key with the subject', async () => {
    const [ca, log] = [await authority(), await fakeService(() => refuses)]
    const signer = await keylessSigner(token, await setup({ ca, logs: [service(log.url)] }))
    for (const _ of [1, 2, 3]) await failureOf(signer.services?.record(content, signer.messageAlgorithm) ?? Promise.resolve())
    expect(ca.asked.length).toBe(1)
    const keys = log.asked.map(
      ({ body }) => (JSON.parse(body) as { spec: { signature: { publicKey: { content: string } } } }).spec.signature.publicKey.content,
    )
    expect(new Set(keys).size).toBe(1)
    expect(Buffer.from(keys[0] ?? '', 'base64').toString()).toContain('BEGIN CERTIFICATE')
  })

  it('never signs twice under two certificates: what is sent again is the same signature and certificate', async () => {
    const [ca, log] = [await authority(), await fakeService((_, times) => (times < 3 ? (times === 1 ? 'lost' : { status: 503 }) : refuses))]
    const signer = await keylessSigner(token, await setup({ ca, logs: [service(log.url, 2)] }))
    expect((await failureOf(signBlob(bytesBlobSource('file', utf8('file')), signer))).code).toBe('service_refused')
    expect(log.asked.length).toBe(3)
    expect(new Set(log.asked.map(({ body }) => body)).size).toBe(1)
    expect(ca.asked.length).toBe(1)
  })

  it('gives no signature when one service of several fails', async () => {
    const [ca, log, tsa] = [await authority(), await fakeService(() => refuses), await fakeService(() => ({ status: 503 }))]
    const signer = await keylessSigner(token, await setup({ ca, logs: [service(log.url)], stamps: [service(tsa.url)] }))
    expect(['service_refused', 'service_failed']).toContain((await failureOf(signBlob(bytesBlobSource('file', utf8('file')), signer))).code)
  })

  it('is not to be had without a certificate authority, or a transparency log, and nobody is asked', async () => {
    const ca = await authority()
    for (const fakes of [{ ca }, { logs: [service('http://127.0.0.1:1')] }]) {
      const failure = await failureOf(keylessSigner(token, await setup(fakes)))
      expect(failure.code).toBe('service_not_supported')
    }
    expect(ca.asked).toEqual([])
  })

  it('is not to be had with a token that has ended or is none, and nobody is asked', async () => {
    const [ca, ended] = [await authority(), tokenOf({ iss: 'https://sign.example', sub: 'ada', exp: 1 })]
    const ready = await setup({ ca, logs: [service('http://127.0.0.1:1')] })
    expect((await failureOf(keylessSigner(ended, ready))).code).toBe('identity_token_expired')
    expect((await failureOf(keylessSigner('token', ready))).code).toBe('identity_token_malformed')
    expect(ca.asked).toEqual([])
  })

  it('shows its token to the certificate authority, and to nobody else', async () => {
    const [ca, log, tsa] = [await authority(), await fakeService(() => refuses), await fakeService(() => refuses)]
    const signer = await keylessSigner(token, await setup({ ca, logs: [service(log.url)], stamps: [service(tsa.url)] }))
    const failure = await failureOf(signBlob(bytesBlobSource('file', utf8('file')), signer))
    const seen = JSON.stringify([log.asked, tsa.asked, signer]) + everythingIn(failure)
    expect(seen).not.toContain(token.split('.')[1])
    expect(ca.asked[0]?.headers.authorization).toContain(token)
  })
})

describe('the services of a config', () => {
  /**
   * Asks three logs and three timestamp authorities of three operators, and gives who was asked until now, one digit for each: one failure ends
   * the wait, and the requests that were sent at the same time arrive all the same, sooner or later.
   */
  async function ask(
    selector: ServiceSelector | undefined,
    versions: readonly number[] = [1, 1, 1],
  ): Promise<() => { readonly logs: string; readonly stamps: string }> {
    const logs = await Promise.all(versions.map(() => fakeService(() => refuses)))
    const stamps = await Promise.all(versions.map(() => fakeService(() => refuses)))
    const at = (fakes: readonly FakeService[], version: (i: number) => number): SigningService[] =>
      fakes.map(({ url }, i) => service(url, version(i), `operator ${i}`))
    const selectors = selector === undefined ? {} : { logSelector: selector, timestampSelector: selector }
    const signer = recordedSigner(
      testSigner(),
      await setup({ logs: at(logs, (i) => versions[i] ?? 1), stamps: at(stamps, () => 1), ...selectors }),
    )
    await failureOf(signer.services?.record(content, signer.messageAlgorithm) ?? Promise.resolve())
    const shown = (fakes: readonly FakeService[]): string => fakes.map((fake) => fake.asked.length).join('')
    return () => ({ logs: shown(logs), stamps: shown(stamps) })
  }

  it.each<[string, ServiceSelector | undefined, string]>([
    ['one without a selector', undefined, '100'],
    ['one by ANY', { kind: 'any' }, '100'],
    ['all by ALL', { kind: 'all' }, '111'],
    ['as many as EXACT says', { kind: 'exact', count: 2 }, '110'],
  ])('are asked: %s', async (_name, selector, expected) => {
    const asked = await ask(selector)
    await expect.poll(asked).toEqual({ logs: expected, stamps: expected })
    // None comes after them.
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(asked()).toEqual({ logs: expected, stamps: expected })
  })

  it('are asked in their highest version alone', async () => {
    const asked = await ask({ kind: 'all' }, [1, 2, 1])
    await expect.poll(asked).toEqual({ logs: '010', stamps: '111' })
  })

  it('are refused, before anybody is asked, where they cannot satisfy the selector', async () => {
    const log = await fakeService(() => refuses)
    const config = await setup({ logs: [service(log.url)], logSelector: { kind: 'exact', count: 2 } })
    expect((await failureOf(() => recordedSigner(testSigner(), config))).code).toBe('service_not_supported')
    expect(log.asked).toEqual([])
  })

  it("are none for a key of one's own where the config names none: the same signer", async () => {
    const signer = testSigner()
    expect(recordedSigner(signer, await setup({}))).toBe(signer)
  })
})
