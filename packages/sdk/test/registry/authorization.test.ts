import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { parseDigest, type Digest } from '@countersign/core/digest'
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from '@countersign/testkit/registry/server'
import { afterEach, describe, expect, it } from 'vitest'
import type { Connection } from '../../src/connection.ts'
import { createRegistryRun } from '../../src/open-repository.ts'
import { parseChallenge } from '../../src/registry/challenge.ts'
import type { Repository } from '../../src/registry/repository.ts'
import { makeTlsAuthority } from '../http/tls-authority.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function start(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const registry = await startTestRegistry(options)
  ends.push(() => registry.stop())
  registry.content.repository('app')
  return registry
}

async function open(host: string, connection: Partial<Connection> = {}, repository = 'app'): Promise<Repository> {
  const run = createRegistryRun({ environment: {}, ...connection }, { retries: 0 })
  ends.push(run.close)
  return run.open({ kind: 'registry', registry: host, repository })
}

async function tagsOf(repository: Repository): Promise<readonly string[]> {
  const tags: string[] = []
  for await (const tag of repository.tags()) tags.push(tag)
  return tags
}

async function drain(blob: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0
  for await (const part of blob) length += part.length
  return length
}

async function folder(files: Readonly<Record<string, string>>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'auth-'))
  ends.push(() => rm(path, { recursive: true }))
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content)
  return path
}

const account = { username: 'ann', password: 'hunter2-secret' }
const bearer = { kind: 'bearer', ...account } as const

describe('a registry with Basic authentication', () => {
  it('gets user name and password once it asks', async () => {
    const registry = await start({ auth: { kind: 'basic', ...account } })
    expect(await tagsOf(await open(registry.host, account))).toEqual([])
    expect(registry.log.map(({ headers }) => headers['authorization']?.slice(0, 5))).toEqual([undefined, 'Basic'])
  })

  it('refuses a wrong password, and the failure tells what was tried without the secret', async () => {
    const registry = await start({ auth: { kind: 'basic', ...account } })
    const failure = await tagsOf(await open(registry.host, { username: 'ann', password: 'wrong-secret' })).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'registry_unauthorized' })
    expect((failure as Error).message).toContain('the user name and password given')
    expect((failure as Error).message).toContain('Basic authentication')
    expect((failure as Error).message).not.toContain('wrong-secret')
  })

  it('refuses anonymous access', async () => {
    const registry = await start({ auth: { kind: 'basic', ...account } })
    await expect(tagsOf(await open(registry.host))).rejects.toMatchObject({
      code: 'registry_unauthorized',
      message: expect.stringContaining('anonymous access') as string,
    })
  })
})

describe('a registry with tokens', () => {
  it('one token serves all reads of a run, another one all writes', async () => {
    const registry = await start({ auth: bearer })
    const repository = await open(registry.host, account)
    await Promise.all([tagsOf(repository), tagsOf(repository), repository.resolve({ tag: 'none' })])
    await repository.putBlob(utf8('one'))
    await repository.putBlob(utf8('two'))
    expect(
      registry.log.filter(({ path }) => path.startsWith('/token')).map(({ path }) => new URLSearchParams(path.slice(7)).getAll('scope')),
    ).toEqual([['repository:app:pull'], ['repository:app:pull,push']])
  })

  it('those who need a token at the same time share one', async () => {
    const registry = await start({ auth: bearer, latencyMs: 10 })
    const repository = await open(registry.host, account)
    await Promise.all(Array.from({ length: 6 }, () => tagsOf(repository)))
    expect(registry.count('GET', /^\/token/)).toBe(1)
  })

  it('password and user name go to the token service only', async () => {
    const registry = await start({ auth: bearer })
    await tagsOf(await open(registry.host, account))
    const basic = registry.log.filter(({ headers }) => headers['authorization']?.startsWith('Basic') === true)
    expect(basic.map(({ path }) => path.split('?')[0])).toEqual(['/token'])
  })

  it('an identity token is exchanged with POST', async () => {
    const registry = await start({ auth: { ...bearer, identityToken: 'refresh-me' } })
    const auths = { [registry.host]: { identitytoken: 'refresh-me' } }
    const config = await folder({ 'config.json': JSON.stringify({ auths }) })
    expect(await tagsOf(await open(registry.host, { environment: { DOCKER_CONFIG: config } }))).toEqual([])
    expect(registry.count('POST', /^\/token$/)).toBe(1)
  })

  it('a token given is sent as it is, at once', async () => {
    const registry = await start()
    await tagsOf(await open(registry.host, { token: 'given' }))
    expect(registry.log.map(({ headers }) => headers['authorization'])).toEqual(['Bearer given'])
  })

  it('an expired token is renewed', async () => {
    const registry = await start({ auth: { ...bearer, lifeSeconds: 1 } })
    const repository = await open(registry.host, account)
    await tagsOf(repository)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    expect(await tagsOf(repository)).toEqual([])
  })

  it('anonymous access gets an anonymous token', async () => {
    const registry = await start({ auth: { ...bearer, anonymousPull: true } })
    expect(await tagsOf(await open(registry.host))).toEqual([])
    expect(registry.log.some(({ headers }) => headers['authorization']?.startsWith('Basic') === true)).toBe(false)
  })

  it('a token that could end its header field is refused', async () => {
    const registry = await start({ auth: bearer })
    registry.fault({ match: { path: /^\/token/ }, action: { kind: 'status', status: 200, body: '{"token":"a\\r\\nX-Evil: 1"}' } })
    await expect(tagsOf(await open(registry.host, account))).rejects.toMatchObject({ code: 'registry_response_malformed' })
  })
})

describe('credentials go to no one else', () => {
  it.each([
    'http://attacker.test/token',
    'http://169.254.169.254/latest/meta-data',
    'ftp://attacker.test/',
    'https://user@attacker.test/',
    'not a url',
  ])('not to the token service %s', async (realm) => {
    const registry = await start({ auth: { ...bearer, realm } })
    await expect(tagsOf(await open(registry.host, account))).rejects.toMatchObject({
      code: 'registry_unauthorized',
      message: expect.stringContaining('must not see credentials') as string,
    })
  })

  it('not to a token service at an address of the inner network', async () => {
    const registry = await start({ auth: { ...bearer, realm: 'https://169.254.169.254/token' } })
    await expect(tagsOf(await open(registry.host, account))).rejects.toMatchObject({ code: 'registry_response_malformed' })
  })

  it('not to the storage service that a blob is redirected to', async () => {
    const storage = await start()
    const bytes = utf8('a blob')
    const digest = parseDigest(storage.content.putBlob('app', bytes)) as Digest
    const registry = await start({
      auth: bearer,
      blobRedirect: (name, blob) => `${storage.url}/v2/${name}/blobs/${blob}?X-Signature=s3cret`,
    })
    registry.content.putBlob('app', bytes)
    expect(await drain((await open(registry.host, account)).blob({ digest, size: 6 }))).toBe(6)
    expect(storage.log).toHaveLength(1)
    expect(storage.log[0]?.headers['authorization']).toBeUndefined()
  })

  it('and a failure of that service does not show its signed URL', async () => {
    const digest = parseDigest(`sha256:${'d'.repeat(64)}`) as Digest
    const storage = await start()
    storage.fault({ match: { path: /./ }, action: { kind: 'status', status: 500 } })
    const registry = await start({ blobRedirect: () => `${storage.url}/blob?X-Signature=s3cret` })
    registry.content.repository('app').blobs.set(digest, new Uint8Array(1))
    const failure = await drain((await open(registry.host)).blob({ digest, size: 1 })).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'registry_failed' })
    expect((failure as Error).message).not.toContain('s3cret')
    registry.content.repository('app').blobs.clear()
  })

  it.each(['http://attacker.test/blob', 'https://169.254.169.254/blob', 'file:///etc/passwd'])(
    'a redirect to %s is not followed',
    async (target) => {
      const registry = await start({ blobRedirect: () => target })
      const digest = parseDigest(registry.content.putBlob('app', utf8('x'))) as Digest
      await expect(drain((await open(registry.host)).blob({ digest, size: 1 }))).rejects.toMatchObject({
        code: 'registry_response_malformed',
      })
    },
  )

  it('redirects in a circle end', async () => {
    const registry = await start({ blobRedirect: (name, blob) => `/v2/${name}/blobs/${blob}` })
    const digest = parseDigest(registry.content.putBlob('app', utf8('x'))) as Digest
    await expect(drain((await open(registry.host)).blob({ digest, size: 1 }))).rejects.toMatchObject({ code: 'limit_exceeded' })
  })

  it('not to an upload location on another host', async () => {
    const elsewhere = await start()
    const registry = await start({ auth: bearer })
    registry.fault({
      match: { method: 'POST', path: /uploads/ },
      action: { kind: 'headers', headers: { location: `${elsewhere.url}/v2/app/blobs/uploads/1` } },
    })
    await expect((await open(registry.host, account)).putBlob(utf8('x'))).rejects.toMatchObject({ code: 'write_rejected' })
    expect(elsewhere.log).not.toHaveLength(0)
    expect(elsewhere.log.every(({ headers }) => headers['authorization'] === undefined)).toBe(true)
  })
})

describe('a challenge of another host', () => {
  it('is not answered with the credentials of the registry', async () => {
    const elsewhere = await start({ auth: bearer })
    const registry = await start({ auth: bearer })
    const headers = { location: `${elsewhere.url}/v2/app/blobs/uploads/1` }
    registry.fault({ match: { method: 'POST', path: /uploads/ }, action: { kind: 'headers', headers } })
    await expect((await open(registry.host, account)).putBlob(utf8('x'))).rejects.toMatchObject({ code: 'registry_unauthorized' })
    expect(elsewhere.log.map(({ method, headers: sent }) => [method, sent['authorization']])).toEqual([['PUT', undefined]])
  })
})

describe('a registry over TLS', () => {
  it('is reached with its own authority, and not without', async () => {
    const { ca, server } = await makeTlsAuthority()
    const registry = await start({ tls: server, auth: bearer })
    const caFile = join(await folder({ 'ca.pem': ca }), 'ca.pem')
    expect(await tagsOf(await open(registry.host, { ...account, caFile }))).toEqual([])
    await expect(tagsOf(await open(registry.host, account))).rejects.toMatchObject({
      code: 'registry_unreachable',
      hint: expect.stringContaining('--registry-cacert') as string,
    })
    expect(await tagsOf(await open(registry.host, { ...account, allowInsecure: true }))).toEqual([])
  })

  it('is asked for under the configured server name', async () => {
    const { ca, server } = await makeTlsAuthority()
    const registry = await start({ tls: server })
    const caFile = join(await folder({ 'ca.pem': ca }), 'ca.pem')
    expect(await tagsOf(await open(registry.host, { caFile, serverName: 'registry.test' }))).toEqual([])
    await expect(tagsOf(await open(registry.host, { caFile, serverName: 'other.test' }))).rejects.toMatchObject({
      code: 'registry_unreachable',
    })
  })

  it('a file of authorities that does not exist is named', async () => {
    await expect(open('registry.test', { caFile: '/nonexistent/ca.pem' })).rejects.toMatchObject({ code: 'file_not_found' })
  })
})

describe('plain http', () => {
  it('off loopback is not tried unless allowed', async () => {
    // 192.0.2.0/24 is documentation space (RFC 5737): nobody answers, and the message tells what was tried.
    const failure = await tagsOf(await open('192.0.2.1:1', { deadlineMs: 200 })).catch((error: unknown) => error)
    expect((failure as Error).message).toContain('https://192.0.2.1:1/')
  })

  it.each(['a b', 'host/path', 'user@host', '', 'host:99999'])('%j is no registry', async (host) => {
    await expect(open(host)).rejects.toMatchObject({ code: 'reference_malformed' })
  })
})

describe('a challenge is read strictly', () => {
  it.each([
    [
      'Bearer realm="https://a/token",service="s",scope="repository:x:pull,push"',
      { scheme: 'bearer', realm: 'https://a/token', service: 's', scope: 'repository:x:pull,push' },
    ],
    ['Basic realm="x", Bearer realm="https://a"', { scheme: 'bearer', realm: 'https://a' }],
    ['bearer REALM="https://a\\"b"', { scheme: 'bearer', realm: 'https://a"b' }],
    ['Basic realm="x"', { scheme: 'basic' }],
    ['Negotiate', undefined],
    ['Bearer', undefined],
    ['Bearer realm="a",realm="b"', undefined],
    ['Bearer realm="unterminated', undefined],
    ['Bearer realm=', undefined],
    [`Bearer realm="${'a'.repeat(9_000)}"`, undefined],
    [', '.repeat(4_000), undefined],
    ['', undefined],
  ])('%s', (field, challenge) => {
    expect(parseChallenge([field])).toEqual(challenge)
  })
})
