import { createHash, generateKeyPairSync, sign as signWith } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bytesToBase64 } from '@countersign/core/base64'
import { bytesToHex, utf8 } from '@countersign/core/bytes'
import { digestFromBytes } from '@countersign/core/digest'
import { defaultAlgorithm, digestAlgorithmFor } from '@countersign/core/keys/algorithm'
import { encodePublicKeyPem, parsePublicKey } from '@countersign/core/keys/public-key'
import { verifyConsistency } from '@countersign/core/merkle/proof'
import { parseCheckpoint } from '@countersign/core/note/checkpoint'
import { parseSignedNote } from '@countersign/core/note/signed-note'
import type { TrustedRoot } from '@countersign/core/trust/model'
import { verifyEntity } from '@countersign/core/verify/verify'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { openClient } from '@countersign/sdk/open-client'
import { openSigner } from '@countersign/sdk/keys/file-signer'
import { logInRekor1 } from '@countersign/sdk/services/rekor1'
import { signStatement } from '@countersign/sdk/sign/own-signature'
import { createApp, defaultHttpLimits, mountServices } from '../../src/base/http/app.ts'
import type { RoleKey } from '../../src/base/keys/role-key.ts'
import { admitAnyone, admitOwn, type Admission } from '../../src/log/admission.ts'
import { createRekor1Log, openRekor1Log, type Rekor1LogOptions, type Shard } from '../../src/log/rekor1/keeper.ts'
import { rekor1Service } from '../../src/log/rekor1/service.ts'
import { searchIndex } from '../../src/log/search/index-logs.ts'
import { searchMigrations } from '../../src/log/search/tables.ts'
import { migrate } from '../../src/base/database/migrate.ts'
import { leaseMigrations } from '../../src/base/leases/database-leases.ts'
import { logMigrations } from '../../src/log/engine/tables.ts'
import type { OpenTreeLog } from '../../src/log/engine/open-log.ts'
import { witnessMigrations } from '../../src/log/witness/service.ts'
import { digestVerifier } from '../../src/log/verify/verifier.ts'
import { newLogPlace, type LogPlace } from './logs.ts'

let place: LogPlace
let shard: Shard & { readonly log: OpenTreeLog }
let url: string
let options: Rekor1LogOptions
const closing: (() => Promise<unknown>)[] = []
const verifier = digestVerifier()

function p256(name: string): RoleKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = parsePublicKey(new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })))
  return {
    name,
    publicKey: key,
    algorithm: defaultAlgorithm(key),
    sign: (message) => new Uint8Array(signWith('sha256', message, privateKey)),
  }
}

beforeAll(async () => {
  place = await newLogPlace()
  await migrate(place.database, [...leaseMigrations, ...logMigrations, ...witnessMigrations, ...searchMigrations])
  const { database, blobs, leases, clock } = place.options()
  options = { name: 'rekor1-1', host: 'localhost', key: p256('rekor1-1'), database, blobs, leases, clock }
  await createRekor1Log(options)
  shard = await openRekor1Log(options)
  url = await serving(admitAnyone)
  closing.push(
    () => shard.log.close(),
    () => verifier.close(),
    () => place.remove(),
  )
})

/** The log behind HTTP, for whom this admission lets in. */
async function serving(admit: Admission): Promise<string> {
  const index = searchIndex(
    place.database,
    () => [{ name: shard.treeId, log: shard.log }],
    async () => async () => false,
  )
  const search = {
    find: async (keys: readonly string[], operator: 'and' | 'or') =>
      (await index.find(keys, operator)).map(({ log, leafHash }) => ({ treeId: log, leafHash })),
    remember: index.remember,
  }
  const app = createApp({
    limits: defaultHttpLimits,
    log: { level: 'error', format: 'json', write: () => undefined },
    trustedProxies: [],
  })
  await mountServices(app, [rekor1Service({ shards: [shard], verifier, admit, search })], () => false)
  closing.unshift(() => app.fastify.close())
  return `${await app.fastify.listen({ port: 0, host: '127.0.0.1' })}/rekor`
}

afterAll(async () => {
  for (const close of closing) await close()
})

function signer(type: 'ec' | 'ed25519' | 'rsa' = 'ec', namedCurve = 'P-256'): ReturnType<typeof openSigner> {
  const { privateKey } =
    type === 'ec'
      ? generateKeyPairSync('ec', { namedCurve })
      : type === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ed25519')
  return openSigner(new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' })))
}

async function hashedrekord(
  by = signer(),
  content = `content ${Math.random()}`,
): Promise<{ readonly proposal: object; readonly digest: string; readonly pem: string }> {
  const { hash } = digestAlgorithmFor(by.publicKey)
  const digest = createHash(hash).update(content).digest()
  const pem = encodePublicKeyPem(by.publicKey)
  const signature = {
    content: bytesToBase64(await by.signDigest(new Uint8Array(digest))),
    publicKey: { content: bytesToBase64(utf8(pem)) },
  }
  const spec = { data: { hash: { algorithm: hash, value: digest.toString('hex') } }, signature }
  return { proposal: { apiVersion: '0.0.1', kind: 'hashedrekord', spec }, digest: `${hash}:${digest.toString('hex')}`, pem }
}

type Answer = { readonly status: number; readonly headers: Headers; readonly json: unknown }

async function ask(path: string, body?: object, at = url): Promise<Answer> {
  const answer = await fetch(`${at}${path}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, json: text.startsWith('-----') ? text : JSON.parse(text) }
}

function only(json: unknown): [string, Record<string, unknown>] {
  const [entry, ...more] = Object.entries(json as Record<string, Record<string, unknown>>)
  if (entry === undefined || more.length > 0) throw new TypeError('not one entry')
  return entry
}

describe('a new entry', () => {
  it('is answered with 201, and its ID as ETag and as the key', async () => {
    const { status, headers, json } = await ask('/api/v1/log/entries', (await hashedrekord()).proposal)
    const [id, entry] = only(json)
    expect(status).toBe(201)
    expect(headers.get('etag')).toBe(id)
    expect(headers.get('location')).toBe(`/api/v1/log/entries/${id}`)
    expect(id).toMatch(new RegExp(`^${BigInt(shard.treeId).toString(16).padStart(16, '0')}[0-9a-f]{64}$`))
    const body = Buffer.from(String(entry['body']), 'base64')
    expect(id.slice(16)).toBe(
      createHash('sha256')
        .update(Buffer.from([0]))
        .update(body)
        .digest('hex'),
    )
  })

  it.each([
    ['P-256', signer()],
    ['P-384', signer('ec', 'P-384')],
    ['P-521', signer('ec', 'P-521')],
    ['RSA', signer('rsa')],
    ['Ed25519ph', signer('ed25519')],
  ])('of a file signed with %s verifies offline: promise, proof, checkpoint', async (_name, by) => {
    const client = await openClient({ environment: {} })
    const algorithm = digestAlgorithmFor(by.publicKey)
    const digest = createHash(algorithm.hash).update('file').digest()
    const claimedDigest = digestFromBytes(algorithm.hash, new Uint8Array(digest))
    if (claimedDigest === undefined) throw new TypeError('no digest')
    const content = { kind: 'message' as const, claimedDigest, signature: await by.signDigest(new Uint8Array(digest)) }
    const entry = await logInRekor1(client, url, { content, publicKey: by.publicKey, algorithm })
    client.close()
    const verification = await verifyEntity({
      entity: { material: { kind: 'public-key' }, logEntries: [entry], timestamps: [], content },
      artifact: { kind: 'digest', digests: [claimedDigest] },
      policy: {
        signer: { kind: 'keys', keys: [{ key: by.publicKey, label: 'it' }] },
        content: { kind: 'any_content' },
        log: { kind: 'required' },
        sct: { kind: 'not_demanded' },
        signedTimestamp: { kind: 'not_demanded' },
        claims: { kind: 'required' },
      },
      trustedRoot: trustedRoot(),
      nowMs: Date.now() + 1000,
      primitives: nodePrimitives,
    })
    expect(verification).toMatchObject({ ok: true })
  })

  it('of an attestation verifies offline, and is found by the digests that it names', async () => {
    const client = await openClient({ environment: {} })
    const by = signer()
    const subject = createHash('sha256').update(String(Math.random())).digest('hex')
    const statement = {
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'x', digest: { sha256: subject } }],
      predicateType: 'https://x.example/p',
      predicate: {},
    }
    const content = { kind: 'dsse' as const, envelope: await signStatement(utf8(JSON.stringify(statement)), by) }
    const entry = await logInRekor1(client, url, { content, publicKey: by.publicKey, algorithm: by.messageAlgorithm })
    client.close()
    expect([entry.kind, entry.version]).toEqual(['dsse', '0.0.1'])
    expect((await ask('/api/v1/index/retrieve', { hash: `sha256:${subject}` })).json).toHaveLength(1)
  })

  it('that is there already is 409, with its place; clients then fetch it', async () => {
    const { proposal } = await hashedrekord()
    const [id] = only((await ask('/api/v1/log/entries', proposal)).json)
    const again = await ask('/api/v1/log/entries', proposal)
    expect(again.status).toBe(409)
    expect(again.headers.get('location')).toBe(`/api/v1/log/entries/${id}`)
    expect(again.json).toEqual({ code: 409, message: `an equivalent entry already exists in the transparency log with UUID ${id}` })
  })

  it('has a body whose PEM is spelt in one way, however it was sent', async () => {
    const by = signer()
    const { proposal, pem } = await hashedrekord(by, 'one')
    const spec = (proposal as { spec: { signature: { publicKey: { content: string } } } }).spec
    const spelt = `text before\r\n${pem.replaceAll('\n', '\r\n')}\r\n`
    const other = {
      ...proposal,
      spec: { ...spec, signature: { ...spec.signature, publicKey: { content: Buffer.from(spelt).toString('base64') } } },
    }
    expect((await ask('/api/v1/log/entries', other)).status).toBe(201)
    expect((await ask('/api/v1/log/entries', proposal)).status).toBe(409)
  })
})

describe('an entry is refused', () => {
  it.each<[string, (entry: Record<string, never>) => object, number]>([
    ['whose signature is of something else (log spam)', (entry) => changed(entry, ['spec', 'data', 'hash', 'value'], 'a'.repeat(64)), 400],
    ['whose digest has another length', (entry) => changed(entry, ['spec', 'data', 'hash', 'value'], 'aa'), 400],
    ['whose digest is in capitals, a second spelling', (entry) => changed(entry, ['spec', 'data', 'hash', 'value'], 'A'.repeat(64)), 400],
    ['whose key is no PEM', (entry) => changed(entry, ['spec', 'signature', 'publicKey', 'content'], 'AAAA'), 400],
    ['of a kind that is not taken', (entry) => ({ ...(entry as object), kind: 'jar' }), 400],
    ['of a version that there is not', (entry) => ({ ...(entry as object), apiVersion: '0.0.9' }), 400],
    ['that is no object', () => [], 400],
  ])('%s', async (_what, change, status) => {
    const answer = await ask('/api/v1/log/entries', change((await hashedrekord()).proposal as Record<string, never>))
    expect(answer).toMatchObject({ status, json: { code: status } })
  })
})

describe('a log that takes entries of its own installation alone', () => {
  it('refuses what others signed with 403, and takes what a key on its list did', async () => {
    const known = signer()
    const at = await serving(admitOwn(() => false, [known.publicKey.spki]))
    expect(await ask('/api/v1/log/entries', (await hashedrekord()).proposal, at)).toMatchObject({ status: 403, json: { code: 403 } })
    expect(await ask('/api/v1/log/entries', (await hashedrekord(known)).proposal, at)).toMatchObject({ status: 201 })
  })
})

describe('a question that makes no sense', () => {
  it.each<[string, string, object | undefined]>([
    ['for an index that is no number', '/api/v1/log/entries?logIndex=x', undefined],
    ['for an entry by an ID of another length', '/api/v1/log/entries/retrieve', { entryUUIDs: ['ab'] }],
    ['for a key in a form that is not searched for', '/api/v1/index/retrieve', { publicKey: { format: 'pgp', content: 'AAAA' } }],
    ['for a proof before the first entry', '/api/v1/log/proof?firstSize=0&lastSize=1', undefined],
    ['for a proof up to a tree that there is not yet', '/api/v1/log/proof?firstSize=1&lastSize=1000000', undefined],
    ['for a proof up to no number', '/api/v1/log/proof', undefined],
  ])('%s is answered with 400', async (_, path, body) => {
    expect(await ask(path, body)).toMatchObject({ status: 400, json: { code: 400 } })
  })
})

describe('the log', () => {
  it('is not opened under the name of another host', async () => {
    await expect(openRekor1Log({ ...options, host: 'other.example' })).rejects.toMatchObject({ code: 'log_inconsistent' })
  })

  it('is looked up by index, by ID with and without tree, by proposal', async () => {
    const { proposal } = await hashedrekord()
    const [id, entry] = only((await ask('/api/v1/log/entries', proposal)).json)
    const same = async (path: string, body?: object): Promise<void> => {
      const { json } = await ask(path, body)
      const [found, value] = only(Array.isArray(json) ? json[0] : json)
      expect([found, value['body'], value['logIndex']]).toEqual([id, entry['body'], entry['logIndex']])
    }
    await same(`/api/v1/log/entries?logIndex=${String(entry['logIndex'])}`)
    await same(`/api/v1/log/entries/${id}`)
    await same(`/api/v1/log/entries/${id.slice(16)}`)
    await same('/api/v1/log/entries/retrieve', { entryUUIDs: [id] })
    await same('/api/v1/log/entries/retrieve', { logIndexes: [entry['logIndex']] })
    await same('/api/v1/log/entries/retrieve', { entries: [proposal] })
    expect((await ask('/api/v1/log/entries?logIndex=1000000')).status).toBe(404)
    expect((await ask(`/api/v1/log/entries/${'0'.repeat(80)}`)).status).toBe(404)
    expect((await ask('/api/v1/log/entries/xyz')).status).toBe(422)
    expect((await ask('/api/v1/log/entries/retrieve', { logIndexes: Array.from({ length: 11 }, () => 0) })).status).toBe(422)
  })

  it('is searched by digest, by key, and by both', async () => {
    const by = signer()
    const [one, two] = [await hashedrekord(by), await hashedrekord(by)]
    const [id] = only((await ask('/api/v1/log/entries', one.proposal)).json)
    await ask('/api/v1/log/entries', two.proposal)
    const publicKey = { format: 'x509', content: Buffer.from(one.pem).toString('base64') }
    const find = async (query: object): Promise<unknown> => (await ask('/api/v1/index/retrieve', query)).json
    expect(await find({ hash: one.digest })).toEqual([id])
    expect(await find({ hash: one.digest.slice('sha256:'.length) })).toEqual([id])
    expect(await find({ publicKey })).toHaveLength(2)
    expect(await find({ publicKey, hash: one.digest, operator: 'and' })).toEqual([id])
    expect(await find({ publicKey, hash: 'f'.repeat(64), operator: 'and' })).toEqual([])
    expect(await find({ email: 'nobody@example.org' })).toEqual([])
  })

  it('names its tree, its key, and proves that it only grew', async () => {
    type Info = { readonly treeID: string; readonly treeSize: number; readonly rootHash: string; readonly signedTreeHead: string }
    const before = (await ask('/api/v1/log')).json as Info
    await ask('/api/v1/log/entries', (await hashedrekord()).proposal)
    const after = (await ask('/api/v1/log')).json as Info
    expect(after.treeID).toBe(shard.treeId)
    const note = parseSignedNote(after.signedTreeHead)
    expect(note.signatures).toHaveLength(1)
    expect(parseCheckpoint(note.text).origin).toBe(`localhost - ${shard.treeId}`)
    const proof = (await ask(`/api/v1/log/proof?firstSize=${before.treeSize}&lastSize=${after.treeSize}&treeID=${after.treeID}`)).json as {
      readonly hashes: string[]
    }
    const bytes = (hash: string): Uint8Array => new Uint8Array(Buffer.from(hash, 'hex'))
    const hashes = proof.hashes.map(bytes)
    const trees = { oldSize: before.treeSize, oldRoot: bytes(before.rootHash), newSize: after.treeSize, newRoot: bytes(after.rootHash) }
    expect(await verifyConsistency(nodePrimitives, { ...trees, hashes })).toBe(true)
    expect((await ask('/api/v1/log/publicKey')).json).toBe(encodePublicKeyPem(shard.key.publicKey))
    expect((await ask('/api/v1/log/publicKey?treeID=1')).status).toBe(400)
    expect((await ask('/api/v1/log/proof?firstSize=9&lastSize=2')).status).toBe(400)
    expect(bytesToHex(shard.logId)).toBe(createHash('sha256').update(shard.key.publicKey.spki).digest('hex'))
  })
})

function trustedRoot(): TrustedRoot {
  const log = {
    baseUrl: url,
    hashAlgorithm: 'sha256',
    publicKey: shard.key.publicKey,
    algorithm: 'PKIX_ECDSA_P256_SHA_256',
    validFor: { start: 0 },
    logId: shard.logId,
  } as const
  return { logs: [log], certificateAuthorities: [], ctLogs: [], timestampAuthorities: [] }
}

function changed(value: object, path: readonly string[], to: string): object {
  const [name = '', ...rest] = path
  const at = value as Record<string, object>
  return { ...value, [name]: rest.length === 0 ? to : changed(at[name] ?? {}, rest, to) }
}
