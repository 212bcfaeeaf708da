import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { initializeStore, type InitializeRequest } from '@countersign/sdk/tuf/initialize'
import { mirrorFolderName, parseRole, readTarget, storedFreshness } from '@countersign/sdk/tuf/store'
import { startTufMirror, tufFiles, tufKey, tufState, type TufMirror, type TufState } from '@countersign/testkit/tuf-mirror'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const trustedRoot = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'
const targets = { 'trusted_root.json': trustedRoot, 'signing_config.v0.2.json': '{}' }
const key = tufKey()
const past = new Date(Date.now() - 1000)

let folder: string
let mirror: TufMirror
let state: TufState

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-tuf-'))
  state = tufState(key, targets)
  mirror = await startTufMirror(state)
})
afterEach(async () => {
  await mirror.stop()
  rmSync(folder, { recursive: true })
})

const options = { environment: {}, deadlineMs: 30_000, retries: 0 }
const initialize = (more: Partial<InitializeRequest> = {}) =>
  initializeStore({ folder, mirror: mirror.url, nowMs: Date.now(), ...more }, options)
const inMirrorFolder = (...names: string[]): string => join(folder, mirrorFolderName(mirror.url) ?? '', ...names)
const stored = (...names: string[]): string => readFileSync(inMirrorFolder(...names), 'utf8')
const rootFile = (bytes: Uint8Array | undefined): string => {
  const path = join(folder, '..', `root-${process.pid}.json`)
  writeFileSync(path, bytes ?? '')
  return path
}
/** Everything in the store, to show that a refusal left it as it was. */
const everything = (): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.name} ${readFileSync(join(entry.parentPath, entry.name), 'utf8')}`)
    .toSorted()
    .join('\n')

describe('a store that is initialized', () => {
  it('has the files of cosign 3, and asks the mirror for nothing but what it needs', async () => {
    const root = rootFile(mirror.files.get('/1.root.json'))
    const result = await initialize({ root })
    expect(result.versions).toEqual({ root: 1, timestamp: 1, snapshot: 1, targets: 1 })
    expect(result.targets).toEqual(['trusted_root.json', 'signing_config.v0.2.json'])
    expect(JSON.parse(readFileSync(join(folder, 'remote.json'), 'utf8'))).toEqual({ mirror: mirror.url })
    expect(readdirSync(folder).toSorted()).toEqual([
      `${mirrorFolderName(mirror.url)}`,
      `${mirrorFolderName(mirror.url)}.json`,
      'remote.json',
    ])
    expect(stored('targets', 'trusted_root.json')).toBe(trustedRoot)
    expect(mirror.asked).toEqual([
      '/2.root.json',
      '/timestamp.json',
      '/1.snapshot.json',
      '/1.targets.json',
      expect.stringMatching(/^\/targets\/[0-9a-f]{64}\.trusted_root\.json$/),
      expect.stringMatching(/^\/targets\/[0-9a-f]{64}\.signing_config\.v0\.2\.json$/),
    ])
  })

  it('follows the root through its rotations, each signed by the one before', async () => {
    const [second, third] = [tufKey(), tufKey()]
    mirror.show({ ...state, rootVersion: 2, version: 2, key: second, rootSigners: [key, second] })
    mirror.show({ ...state, rootVersion: 3, version: 3, key: third, rootSigners: [second, third] })
    expect((await initialize()).versions).toEqual({ root: 3, timestamp: 3, snapshot: 3, targets: 3 })
  })

  it('is refreshed from the root that it has, and keeps it', async () => {
    await initialize()
    mirror.show({ ...state, version: 2, targets: { 'trusted_root.json': `${trustedRoot}\n` } })
    const again = await initialize()
    expect(again).toMatchObject({ rootSource: 'stored', versions: { root: 1, timestamp: 2 } })
    expect(stored('targets', 'trusted_root.json')).toBe(`${trustedRoot}\n`)
  })

  it('says when the first of its metadata expires', async () => {
    const soon = new Date(Date.now() + 5_000_000)
    mirror.show({ ...state, expires: { ...state.expires, snapshot: soon } })
    const { expiresFirst, expiresMs } = await initialize()
    expect(expiresFirst).toBe('snapshot')
    expect(Math.abs(expiresMs - soon.getTime())).toBeLessThan(1000)
  })

  it('can come from a folder, without network', async () => {
    const copy = join(folder, 'copy')
    mkdirSync(join(copy, 'targets'), { recursive: true })
    for (const [path, bytes] of mirror.files) writeFileSync(join(copy, path), bytes)
    await initialize({ mirror: `file://${copy}` })
    expect(JSON.parse(readFileSync(join(folder, 'remote.json'), 'utf8'))).toEqual({ mirror: `file://${copy}` })
    expect(mirror.asked).toEqual([])
  })
})

describe('a mirror that others made', () => {
  it("is read: the repository of the TUF project's own test kit, without consistent snapshots", async () => {
    const { initializeTUFRepo, tufHandlers } = await import('@tufjs/repo-mock')
    const repository = initializeTUFRepo([{ name: 'trusted_root.json', content: Buffer.from(trustedRoot) }])
    for (const { path, fn } of tufHandlers(repository, { metadataPathPrefix: '' })) {
      const { statusCode, response } = fn()
      if (statusCode === 200) mirror.files.set(path, Buffer.from(response))
    }
    expect((await initialize()).targets).toEqual(['trusted_root.json'])
    expect(stored('targets', 'trusted_root.json')).toBe(trustedRoot)
  })
})

describe('a mirror that lies', () => {
  /** The code of the refusal, once the store was seen to be as it was. */
  const refusal = async (): Promise<string> => {
    const before = everything()
    const code = await initialize().then(
      () => 'accepted',
      (cause: unknown) => (cause instanceof CountersignError ? cause.code : String(cause)),
    )
    return everything() === before ? code : `${code}, and the store changed`
  }

  it('rolls back: timestamp, snapshot and targets of an earlier version', async () => {
    mirror.show({ ...state, version: 5 })
    await initialize()
    mirror.show({ ...state, version: 4 })
    expect(await refusal()).toBe('tuf_rolled_back')
  })

  it('mixes: a timestamp of today with a snapshot of another version', async () => {
    await initialize()
    mirror.show({ ...state, version: 3 })
    mirror.files.set('/3.snapshot.json', tufFiles(state).get('/1.snapshot.json') as Uint8Array)
    // Signatures differ in length, and one that is too long is not even read to its end.
    expect(await refusal()).toMatch(/^(?:content_altered|limit_exceeded)$/)
  })

  it('freezes: what it has expires, and it shows nothing newer', async () => {
    await initialize()
    for (const role of ['timestamp', 'snapshot', 'targets', 'root'] as const) {
      mirror.show({ ...state, version: 2, expires: { ...state.expires, [role]: past }, ...(role === 'root' ? { rootVersion: 2 } : {}) })
      expect(await refusal()).toBe('tuf_expired')
    }
  })

  it('freezes: what it showed before, in a store whose copy of it has expired', async () => {
    const timestamp = new Date(Date.now() + 5_000)
    mirror.show({ ...state, expires: { ...state.expires, timestamp } })
    await initialize()
    await new Promise((resolve) => setTimeout(resolve, timestamp.getTime() - Date.now() + 100))
    expect(await refusal()).toBe('tuf_expired')
  })

  it('serves metadata that the root does not know the signer of', async () => {
    await initialize()
    mirror.show({ ...state, version: 2, signer: tufKey() })
    expect(await refusal()).toBe('tuf_unsigned')
  })

  it('serves a next root that the root before has not signed', async () => {
    const other = tufKey()
    mirror.show({ ...state, rootVersion: 2, key: other })
    expect(await refusal()).toBe('tuf_unsigned')
  })

  it('skips a version of the root', async () => {
    mirror.files.set('/2.root.json', tufFiles({ ...state, rootVersion: 3 }).get('/3.root.json') as Uint8Array)
    expect(await refusal()).toBe('tuf_rolled_back')
  })

  it('serves another target than its metadata names', async () => {
    const path = [...mirror.files.keys()].find((name) => name.endsWith('.trusted_root.json')) ?? ''
    mirror.files.set(path, Buffer.from(trustedRoot.replace('0.1', '9.9')))
    expect(await refusal()).toBe('content_altered')
  })

  it.each(['/timestamp.json', '/1.snapshot.json', '/2.root.json'])('sends without end: %s', async (path) => {
    mirror.endless.add(path)
    expect(await refusal()).toBe('limit_exceeded')
  })

  it('never answers', async () => {
    mirror.silent.add('/timestamp.json')
    await expect(initializeStore({ folder, mirror: mirror.url, nowMs: 0 }, { ...options, deadlineMs: 300 })).rejects.toMatchObject({
      code: 'deadline_exceeded',
    })
  })

  it.each([
    ['no JSON', 'no'],
    ['no metadata', '{}'],
    ['deeply nested', `${'['.repeat(4000)}${']'.repeat(4000)}`],
  ])('serves a timestamp that is %s', async (_name, text) => {
    mirror.files.set('/timestamp.json', Buffer.from(text))
    expect(await refusal()).toBe('tuf_malformed')
  })

  it('distributes no trusted root, or one that does not parse', async () => {
    mirror.show({ ...state, targets: { 'other.json': '{}' } })
    expect(await refusal()).toBe('trust_missing')
    mirror.show({ ...state, version: 2, targets: { 'trusted_root.json': '{}' } })
    expect(await refusal()).toBe('trusted_root_malformed')
  })

  it('is gone', async () => {
    await initialize()
    mirror.files.delete('/timestamp.json')
    expect(await refusal()).toBe('tuf_unreachable')
    await expect(initialize({ mirror: 'http://127.0.0.1:1' })).rejects.toMatchObject({ code: 'tuf_unreachable' })
  })

  it('names a target that would be a path, which is never fetched', async () => {
    mirror.show({
      ...state,
      targets: { 'trusted_root.json': trustedRoot, '../signing_config.json': '{}', 'signing_config/../../x.json': '' },
    })
    expect((await initialize()).targets).toEqual(['trusted_root.json'])
  })
})

describe('the root to start from', () => {
  it('is refused when its checksum is another, before the mirror is asked', async () => {
    const bytes = mirror.files.get('/1.root.json') as Uint8Array
    const right = createHash('sha256').update(bytes).digest('hex')
    await expect(initialize({ root: rootFile(bytes), checksum: 'a'.repeat(64) })).rejects.toMatchObject({ code: 'content_altered' })
    await expect(initialize({ root: rootFile(bytes), checksum: 'short' })).rejects.toMatchObject({ code: 'usage' })
    expect(mirror.asked).toEqual([])
    await initialize({ root: `${mirror.url}/1.root.json`, checksum: right })
    await initialize({ root: rootFile(bytes), checksum: `sha512:${createHash('sha512').update(bytes).digest('hex')}` })
  })

  it('needs a checksum when it comes over the network', async () => {
    for (const request of [{ mirror: 'https://tuf.example.org' }, { root: 'https://tuf.example.org/root.json' }]) {
      await expect(initialize(request)).rejects.toMatchObject({
        code: 'usage',
        expected: expect.stringContaining('--root-checksum') as string,
      })
    }
    expect(mirror.asked).toEqual([])
  })

  it('is never read over plain http from another machine, nor is the mirror', async () => {
    await expect(initialize({ mirror: 'http://tuf.example.org' })).rejects.toMatchObject({ code: 'insecure_transport' })
    await expect(initialize({ root: 'http://tuf.example.org/r.json' })).rejects.toMatchObject({ code: 'insecure_transport' })
  })

  it.each(['file://host/path', 'file:///a%2fb', 'ftp://host/x', 'https://user:pw@host/', 'https://host/?q', 'nonsense'])(
    'does not come from %s',
    async (url) => {
      await expect(initialize({ mirror: url })).rejects.toMatchObject({ code: 'usage' })
    },
  )

  it('is not one of another mirror', async () => {
    const other = tufFiles(tufState(tufKey(), targets)).get('/1.root.json')
    await expect(initialize({ root: rootFile(other) })).rejects.toMatchObject({ code: 'tuf_unsigned' })
  })

  it('is no other metadata', async () => {
    await expect(initialize({ root: rootFile(mirror.files.get('/timestamp.json')) })).rejects.toMatchObject({ code: 'tuf_malformed' })
  })

  it('does not lead a store back to an older root', async () => {
    mirror.show({ ...state, rootVersion: 2, rootSigners: [key] })
    await initialize()
    mirror.files.delete('/2.root.json')
    await expect(initialize({ root: rootFile(mirror.files.get('/1.root.json')) })).rejects.toMatchObject({ code: 'tuf_rolled_back' })
  })
})

describe('a store that is read', () => {
  it('does not give a target that is not what the metadata beside it names', async () => {
    const { mirrorFolder } = await initialize()
    const freshness = await storedFreshness(mirrorFolder)
    const read = () => readTarget(mirrorFolder, 'trusted_root.json', freshness?.roles.get('targets'))
    expect(Buffer.from((await read()) ?? []).toString()).toBe(trustedRoot)
    writeFileSync(inMirrorFolder('targets', 'trusted_root.json'), `${trustedRoot} `)
    await expect(read()).rejects.toMatchObject({ code: 'content_altered' })
  })

  it('gives no target that the metadata does not name, unless other roles may name it', async () => {
    const { mirrorFolder } = await initialize()
    const role = (more: object) =>
      parseRole(Buffer.from(JSON.stringify({ signed: { version: 1, expires: '2030-01-01T00:00:00Z', targets: {}, ...more } })), 'targets')
    await expect(readTarget(mirrorFolder, 'trusted_root.json', role({}))).rejects.toMatchObject({ code: 'content_altered' })
    expect(await readTarget(mirrorFolder, 'trusted_root.json', role({ delegations: {} }))).toBeDefined()
    const sha512 = createHash('sha512').update(trustedRoot).digest('hex')
    const named = (hash: string) => role({ targets: { 'trusted_root.json': { length: 1, hashes: { sha512: hash } } } })
    expect(await readTarget(mirrorFolder, 'trusted_root.json', named(sha512))).toBeDefined()
    await expect(readTarget(mirrorFolder, 'trusted_root.json', named('0'))).rejects.toMatchObject({ code: 'content_altered' })
  })
})
