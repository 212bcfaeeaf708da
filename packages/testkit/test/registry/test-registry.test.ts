import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from '../../src/registry/server.ts'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

async function start(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const registry = await startTestRegistry(options)
  ends.push(registry.stop)
  return registry
}

function digestOf(content: string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

type Asked = { readonly status: number; readonly headers: Headers; readonly text: string }

async function ask(
  registry: TestRegistry,
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Asked> {
  const response = await fetch(new URL(path, registry.url), { method, headers, ...(body === undefined ? {} : { body }) })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

async function putImage(
  registry: TestRegistry,
  reference: string,
  more: Readonly<Record<string, unknown>> = {},
  headers: Record<string, string> = {},
): Promise<Asked> {
  await ask(registry, 'POST', `/v2/app/blobs/uploads/?digest=${digestOf('{}')}`, '{}')
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 }
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers: [], ...more })
  const name = reference === 'digest' ? digestOf(manifest) : reference
  return ask(registry, 'PUT', `/v2/app/manifests/${name}`, manifest, { 'content-type': manifestType, ...headers })
}

describe('uploads', () => {
  it('take chunks in order, and the session survives one out of order', async () => {
    const registry = await start()
    const { headers } = await ask(registry, 'POST', '/v2/app/blobs/uploads/')
    const session = headers.get('location') ?? ''
    expect((await ask(registry, 'PATCH', session, 'abc', { 'content-range': '0-2' })).headers.get('range')).toBe('0-2')
    expect((await ask(registry, 'PATCH', session, 'x', { 'content-range': '7-7' })).status).toBe(416)
    expect((await ask(registry, 'GET', session)).headers.get('range')).toBe('0-2')
    expect((await ask(registry, 'PUT', `${session}?digest=${digestOf('wrong')}`, 'def')).status).toBe(400)
    const stored = await ask(registry, 'PUT', `${session}?digest=${digestOf('abcdef')}`, 'def')
    expect([stored.status, (await ask(registry, 'GET', stored.headers.get('location') ?? '')).text]).toEqual([201, 'abcdef'])
    expect((await ask(registry, 'PUT', `${session}?digest=${digestOf('abcdef')}`, 'def')).status).toBe(404)
  })

  it('mount what another repository has, and fall back to an upload otherwise', async () => {
    const registry = await start()
    registry.content.putBlob('other', Buffer.from('abc'))
    expect((await ask(registry, 'POST', `/v2/app/blobs/uploads/?mount=${digestOf('abc')}&from=other`)).status).toBe(201)
    expect((await ask(registry, 'HEAD', `/v2/app/blobs/${digestOf('abc')}`)).headers.get('content-length')).toBe('3')
    expect((await ask(registry, 'POST', `/v2/app/blobs/uploads/?mount=${digestOf('x')}&from=other`)).status).toBe(202)
  })
})

describe('manifests', () => {
  it('need their blobs, are found by tag and digest, and are deleted with their tags', async () => {
    const registry = await start()
    const missing = { layers: [{ mediaType: 'a/b', digest: digestOf('missing'), size: 7 }] }
    expect((await putImage(registry, 'v1', missing)).status).toBe(404)
    const digest = (await putImage(registry, 'v1')).headers.get('docker-content-digest') ?? ''
    expect((await ask(registry, 'HEAD', `/v2/app/manifests/${digest}`)).headers.get('content-type')).toBe(manifestType)
    expect((await ask(registry, 'DELETE', '/v2/app/manifests/v1')).status).toBe(202)
    expect((await ask(registry, 'GET', `/v2/app/manifests/${digest}`)).status).toBe(200)
    expect((await ask(registry, 'DELETE', `/v2/app/manifests/${digest}`)).status).toBe(202)
    expect((await ask(registry, 'GET', `/v2/app/manifests/${digest}`)).status).toBe(404)
  })

  it('are written on conditions, unless the registry ignores those', async () => {
    const registry = await start()
    expect((await putImage(registry, 'v1', {}, { 'if-none-match': '*' })).status).toBe(201)
    expect((await putImage(registry, 'v1', {}, { 'if-none-match': '*' })).status).toBe(412)
    expect((await putImage(registry, 'v1', {}, { 'if-match': '"other"' })).status).toBe(412)
    const poor = await start({ conditionalWrites: false })
    expect((await putImage(poor, 'v1', {}, { 'if-match': '"other"' })).status).toBe(201)
  })
})

describe('referrers', () => {
  const subject = { mediaType: manifestType, digest: digestOf('subject'), size: 7 }

  it('are listed page by page, filtered on demand, also for a subject that is not there', async () => {
    const registry = await start({ referrersPageSize: 1 })
    expect(
      (await putImage(registry, 'digest', { subject, artifactType: 'a/one', annotations: { n: '1' } })).headers.get('oci-subject'),
    ).toBe(subject.digest)
    await putImage(registry, 'digest', { subject, annotations: { n: '2' } })
    const first = await ask(registry, 'GET', `/v2/app/referrers/${subject.digest}`)
    const next = /^<([^>]+)>; rel="next"$/.exec(first.headers.get('link') ?? '')?.[1] ?? ''
    const second = await ask(registry, 'GET', next)
    const listed = [first, second].flatMap(({ text }) => (JSON.parse(text) as { manifests: { artifactType: string }[] }).manifests)
    expect(listed.map(({ artifactType }) => artifactType)).toEqual(['a/one', 'application/vnd.oci.empty.v1+json'])
    const filtered = await ask(registry, 'GET', `/v2/app/referrers/${subject.digest}?artifactType=a/one`)
    expect(filtered.headers.get('oci-filters-applied')).toBe('artifactType')
    expect((JSON.parse(filtered.text) as { manifests: [] }).manifests).toHaveLength(1)
    const none = await ask(registry, 'GET', `/v2/nothing/referrers/${digestOf('nothing')}`)
    expect([none.status, none.headers.get('content-type'), (JSON.parse(none.text) as { manifests: [] }).manifests]).toEqual([
      200,
      indexType,
      [],
    ])
    expect((await ask(registry, 'GET', '/v2/app/referrers/sha256:bad')).status).toBe(400)
  })

  it('can be missing, as in docker-registry', async () => {
    const registry = await start({ referrers: false })
    expect((await putImage(registry, 'digest', { subject })).headers.get('oci-subject')).toBeNull()
    expect((await ask(registry, 'GET', `/v2/app/referrers/${subject.digest}`)).status).toBe(404)
  })
})

describe('tags', () => {
  it('are listed in byte order, page by page', async () => {
    const registry = await start({ tagPageSize: 2 })
    for (const tag of ['b', 'a', 'B']) await putImage(registry, tag)
    const first = await ask(registry, 'GET', '/v2/app/tags/list?n=10')
    expect(JSON.parse(first.text)).toEqual({ name: 'app', tags: ['B', 'a'] })
    expect(first.headers.get('link')).toBe('</v2/app/tags/list?n=10&last=a>; rel="next"')
    expect(JSON.parse((await ask(registry, 'GET', '/v2/app/tags/list?n=10&last=a')).text)).toEqual({ name: 'app', tags: ['b'] })
    const none = await ask(registry, 'GET', '/v2/app/tags/list?n=0')
    expect([none.headers.get('link'), JSON.parse(none.text)]).toEqual([null, { name: 'app', tags: [] }])
  })
})

describe('tokens', () => {
  it('open what their scope names and nothing else', async () => {
    const registry = await start({ auth: { kind: 'bearer', username: 'ann', password: 'pw' } })
    const refused = await ask(registry, 'GET', '/v2/app/tags/list')
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('scope="repository:app:pull"')])
    const basic = { authorization: `Basic ${Buffer.from('ann:pw').toString('base64')}` }
    const granted = await ask(registry, 'GET', '/token?service=test&scope=repository:app:pull', undefined, basic)
    const authorization = `Bearer ${(JSON.parse(granted.text) as { token: string }).token}`
    expect((await ask(registry, 'HEAD', '/v2/app/manifests/v1', undefined, { authorization })).status).toBe(404)
    expect((await ask(registry, 'POST', '/v2/app/blobs/uploads/', undefined, { authorization })).status).toBe(401)
    expect((await ask(registry, 'GET', '/v2/other/tags/list', undefined, { authorization })).status).toBe(401)
    expect((await ask(registry, 'GET', '/token?scope=repository:app:pull')).status).toBe(401)
  })
})

describe('faults', () => {
  it('befall the requests that they name, as often as they say', async () => {
    const registry = await start()
    registry.fault({ match: { method: 'GET', path: /^\/v2\/$/ }, times: 1, action: { kind: 'status', status: 503 } })
    const statuses = [await ask(registry, 'GET', '/v2/'), await ask(registry, 'GET', '/v2/')].map(({ status }) => status)
    expect([statuses, registry.log.map(({ status }) => status)]).toEqual([
      [503, 200],
      [503, 200],
    ])
  })

  it('a registry dies after as many requests as it was given', async () => {
    const registry = await start()
    registry.dieAfter(1)
    expect((await ask(registry, 'GET', '/v2/')).status).toBe(200)
    await expect(ask(registry, 'GET', '/v2/')).rejects.toThrow('fetch failed')
  })

  it('content that changes under its digest fails the run', async () => {
    const registry = await startTestRegistry()
    registry.content.putBlob('app', Buffer.from('abc'))
    registry.content.repository('app').blobs.get(digestOf('abc'))?.fill(0)
    await expect(registry.stop()).rejects.toMatchObject({ code: 'internal' })
  })
})
