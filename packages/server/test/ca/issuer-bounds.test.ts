import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '@countersign/core/json/parse'
import type { Issuer } from '../../src/ca/issuers/model.ts'
import { kubernetesIssuer } from './kubernetes-issuer.ts'
import { documentFetcher, type DocumentRequest } from '../../src/ca/tokens/documents.ts'
import { issuerKeys, type IssuerKeys } from '../../src/ca/tokens/issuer-keys.ts'
import { jwkOf, newProviderKey, startProvider } from './identity-provider.ts'
import { rejection } from './refusals.ts'

const minuteMs = 60_000
const jwk = jwkOf(newProviderKey('one')) as JsonValue

const issuerOf = (url: string, from: Issuer['from'] = 'pattern'): Issuer => kubernetesIssuer(url, from)

type World = { readonly keys: IssuerKeys; readonly asked: DocumentRequest[]; nowMs: number; failing: boolean }

/** Issuers that all answer, until they are said to fail; their keys are at `keysUrl`, or beside them. */
function worldOf({ maxAgeSeconds, keysUrl }: { readonly maxAgeSeconds?: number; readonly keysUrl?: string } = {}): World {
  const asked: DocumentRequest[] = []
  const world: World = {
    asked,
    nowMs: 0,
    failing: false,
    keys: issuerKeys({
      now: () => world.nowMs,
      fetch: async (wanted) => {
        asked.push(wanted)
        if (world.failing) throw new RangeError('not there')
        const issuer = new URL(wanted.url).origin
        return { value: { issuer, jwks_uri: keysUrl ?? `${issuer}/keys`, keys: [jwk] }, maxAgeSeconds }
      },
    }),
  }
  return world
}

const nth = (i: number): Issuer => issuerOf(`https://i${i}.id.example.com`)

describe('attack: a stranger who names hundreds of issuers that a pattern matches', () => {
  it('pushes out the oldest of them, and never one that is configured', async () => {
    const { keys, asked } = worldOf()
    const configured = issuerOf('https://id.example.org', 'configuration')
    await keys.current(configured)
    for (let i = 0; i <= 256; i++) await keys.current(nth(i))
    const before = asked.length
    await keys.current(configured)
    await keys.current(nth(256))
    expect(asked).toHaveLength(before)
    await keys.current(nth(0))
    expect(asked).toHaveLength(before + 2)
  })

  it('has only so many failures remembered', async () => {
    const world = worldOf()
    world.failing = true
    for (let i = 0; i <= 256; i++) await expect(world.keys.current(nth(i))).rejects.toThrow('not there')
    const before = world.asked.length
    await expect(world.keys.current(nth(256))).rejects.toThrow('not there')
    expect(world.asked).toHaveLength(before)
    await expect(world.keys.current(nth(0))).rejects.toThrow('not there')
    expect(world.asked).toHaveLength(before + 1)
  })

  it('has no more than sixteen fetched from at once', async () => {
    const keys = issuerKeys({ now: () => 0, fetch: () => new Promise(() => undefined) })
    for (let i = 0; i < 16; i++) void keys.current(nth(i))
    expect(await rejection(keys.current(nth(16)))).toBe('identity_issuer_unavailable')
  })
})

describe('keys of issuers', () => {
  it.each([
    ['five minutes at least, whatever little their server says', 0, 5],
    ['an hour, where their server says nothing', undefined, 60],
    ['twelve hours at most, whatever their server says', 1e9, 12 * 60],
  ])('are kept for %s', async (_, maxAgeSeconds, minutes) => {
    const world = worldOf(maxAgeSeconds === undefined ? {} : { maxAgeSeconds })
    await world.keys.current(nth(0))
    world.nowMs = minutes * minuteMs - 1
    await world.keys.current(nth(0))
    expect(world.asked).toHaveLength(2)
    world.nowMs++
    await world.keys.current(nth(0))
    expect(world.asked).toHaveLength(4)
  })

  it.each([
    ['that the operator configured', 'https://id.example.org', 'https://id.example.org/k', 'any', false],
    ['that the operator configured, but keeps its keys elsewhere', 'https://id.example.org', 'https://keys.example.org/k', 'public', false],
    ['of the own cluster', 'https://kubernetes.default.svc', 'https://10.0.0.1/k', 'any', true],
    [
      'of the own cluster, at the metadata address of a cloud',
      'https://kubernetes.default.svc',
      'https://169.254.169.254/k',
      'public',
      false,
    ],
  ])('of an issuer %s are asked for where that may be', async (_, url, keysUrl, addresses, ownCluster) => {
    const { keys, asked } = worldOf({ keysUrl })
    await keys.current(issuerOf(url, 'configuration'))
    expect(asked[1]).toMatchObject({ url: keysUrl, addresses, ownCluster })
  })

  it('attack: an issuer that hands out the keys of another, or its own as those of another, is not believed', async () => {
    const provider = await startProvider()
    const fetcher = documentFetcher()
    const keys = issuerKeys({ now: () => 0, fetch: fetcher.fetch })
    provider.answers.set('/.well-known/openid-configuration', () => ({
      body: { issuer: 'https://other.example.com', jwks_uri: `${provider.url}/keys` },
    }))
    await expect(keys.current(issuerOf(provider.url, 'configuration'))).rejects.toMatchObject({ message: /names another issuer/ })
    await fetcher.close()
    await provider.close()
  })
})

describe('documents of issuers', () => {
  it('are followed to the third place on their host, and no further', async () => {
    const provider = await startProvider()
    const fetcher = documentFetcher()
    for (const [from, to] of ['0', '1', '2', '3'].entries())
      provider.answers.set(`/${from}`, () => ({ status: 302, headers: { location: `/${Number(to) + 1}` }, body: {} }))
    provider.answers.set('/4', () => ({ body: {} }))
    expect((await fetcher.fetch({ url: `${provider.url}/1`, addresses: 'any' })).value).toEqual({})
    expect(await rejection(fetcher.fetch({ url: `${provider.url}/0`, addresses: 'any' }))).toBe('identity_issuer_unavailable')
    await fetcher.close()
    await provider.close()
  })

  it('attack: a server that is asked in clear never gets the token of this pod', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-pod-'))
    for (const name of ['ca.crt', 'token']) writeFileSync(join(folder, name), 'a secret')
    const provider = await startProvider()
    const headers: unknown[] = []
    provider.answers.set('/x', (request) => {
      headers.push(request.headers.authorization)
      return { body: {} }
    })
    const fetcher = documentFetcher({ serviceAccount: folder })
    await fetcher.fetch({ url: `${provider.url}/x`, addresses: 'any', ownCluster: true })
    expect(headers).toEqual([undefined])
    await fetcher.close()
    await provider.close()
    rmSync(folder, { recursive: true })
  })
})
