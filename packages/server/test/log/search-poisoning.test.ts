import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { decodePem } from '@countersign/core/pem'
import { parseProposedEntryV1 } from '@countersign/core/rekor/proposal-v1'
import { serverPrimitives } from '@countersign/server/base/crypto/primitives'
import { migrate } from '@countersign/server/base/database/migrate'
import { openSqlite } from '@countersign/server/base/database/sqlite'
import { issuedByOurs } from '@countersign/server/log/own-authority'
import { readIndexQuery } from '@countersign/server/log/rekor1/queries'
import { searchIndex, type SearchIndex } from '@countersign/server/log/search/index-logs'
import { searchService } from '@countersign/server/log/search/service'
import type { LoggedHit } from '@countersign/core/rekor/search-answer'
import { searchMigrations } from '@countersign/server/log/search/tables'
import { openPort } from '../base/http/port.ts'

let folder = ''
const openssl = (...words: string[]): unknown => execFileSync('openssl', words, { cwd: folder, stdio: 'ignore' })
const pemOf = (name: string): string => readFileSync(join(folder, `${name}.pem`), 'utf8')
const derOf = (name: string): Uint8Array => decodePem(pemOf(name), 'CERTIFICATE')[0]?.bytes ?? new Uint8Array()

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-poisoning-'))
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  writeFileSync(join(folder, 'names'), 'subjectAltName=email:ada@example.org\n')
  openssl('req', '-x509', ...key, '-keyout', 'ours.key', '-out', 'ours.pem', '-subj', '/CN=authority', '-days', '30')
  openssl('req', ...key, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', '/CN=leaf')
  openssl(
    'x509',
    '-req',
    '-in',
    'leaf.csr',
    '-days',
    '1',
    '-extfile',
    'names',
    '-CA',
    'ours.pem',
    '-CAkey',
    'ours.key',
    '-out',
    'genuine.pem',
  )
  // What a known key writes by itself: anybody's address, once under its own name, once under that of the authority.
  const forged = [
    'req',
    '-x509',
    '-key',
    'leaf.key',
    '-addext',
    'subjectAltName=email:ada@example.org,URI:https://ci.example/job',
    '-days',
    '1',
  ]
  openssl(...forged, '-out', 'forged.pem', '-subj', '/CN=anybody')
  openssl(...forged, '-out', 'imitated.pem', '-subj', '/CN=authority')
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const digest = 'ab'.repeat(32)

function entryV1(pem: string): object {
  const signature = { content: 'c2ln', publicKey: { content: Buffer.from(pem).toString('base64') } }
  return { kind: 'hashedrekord', apiVersion: '0.0.1', spec: { data: { hash: { algorithm: 'sha256', value: digest } }, signature } }
}

function entryV2(der: Uint8Array): object {
  const data = { algorithm: 'SHA2_256', digest: Buffer.from(digest, 'hex').toString('base64') }
  const verifier = { x509Certificate: { rawBytes: Buffer.from(der).toString('base64') } }
  return { kind: 'hashedrekord', apiVersion: '0.0.2', spec: { hashedRekordV002: { data, signature: { content: 'c2ln', verifier } } } }
}

/** The log and its search: entries 0 and 1 are genuine, all others are not. */
async function searched(): Promise<{ readonly index: SearchIndex; readonly find: (query: string) => Promise<readonly LoggedHit[]> }> {
  const bodies = [entryV1(pemOf('genuine')), entryV2(derOf('genuine'))]
  for (const name of ['forged', 'imitated']) bodies.push(entryV1(pemOf(name)), entryV2(derOf(name)))
  bodies.push({ kind: 'x', spec: { data: { hash: { algorithm: 'name=ada@example.org', value: '' } } } })
  const entries = bodies.map((body) => new Uint8Array(Buffer.from(JSON.stringify(body))))
  const checkpoint = { size: entries.length, rootHash: new Uint8Array(32), note: '', signedAt: 0 }
  const logged = { integratedAt: 0, checkpoint, hashes: [], duplicate: false }
  const log = {
    checkpoint: async () => checkpoint,
    bundle: async () => entries,
    entry: async (at: number) => ({ ...logged, index: at, data: entries[at] ?? new Uint8Array() }),
  }
  const place = mkdtempSync(join(tmpdir(), 'countersign-index-'))
  const database = await openSqlite(join(place, 'database.sqlite'), { create: true })
  onTestFinished(async () => {
    await database.close()
    rmSync(place, { recursive: true, force: true })
  })
  await migrate(database, searchMigrations)
  const ours = issuedByOurs(async () => [[derOf('ours')]])
  const index = searchIndex(database, () => [{ name: 'log-1', log }], ours)
  const { url } = await openPort([searchService({ index, log: () => log, issuedByOurs: ours })])
  const find = async (query: string): Promise<readonly LoggedHit[]> => {
    const answer = await fetch(`${url}/rekor2/search?${query}`)
    return ((await answer.json()) as { readonly entries: readonly LoggedHit[] }).entries
  }
  return { index, find }
}

describe("attack: a known key that logs certificates which it made itself, for somebody else's name", () => {
  it('is not found under that name; what our authority certified is', async () => {
    const { find } = await searched()
    expect((await find('email=ada@example.org')).map(({ index }) => index)).toEqual([0, 1])
    expect((await find('identity=ADA@example.org')).map(({ index }) => index)).toEqual([0, 1])
    expect(await find('identity=https://ci.example/job')).toEqual([])
  })

  it('is found by what was signed, its name apart from those that are proven', async () => {
    const { find } = await searched()
    const found = await find(`digest=${digest}`)
    expect(found.map(({ identity, unverifiedIdentity }) => [identity.length, unverifiedIdentity.length])).toEqual([
      [1, 0],
      [1, 0],
      ...Array.from({ length: 4 }, () => [0, 2]),
    ])
  })

  it('is not found by older clients either, which ask Rekor v1', async () => {
    const { index } = await searched()
    const { keys, operator } = readIndexQuery(serverPrimitives, new Uint8Array(Buffer.from('{"email":"ada@example.org"}')))
    expect((await index.find(keys, operator)).map((found) => found.index)).toEqual([0, 1])
  })
})

describe('attack: a statement that calls a name a digest', () => {
  it('is not found under that name', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const named = { sha256: digest, 'name=https': '//ci.example/job', https: '//ci.example/job', 'name=ada@example.org': '' }
    const statement = {
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'x', digest: named }],
      predicateType: 'x',
      predicate: {},
    }
    const [payloadType, payload] = ['application/vnd.in-toto+json', Buffer.from(JSON.stringify(statement))]
    const signed = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `), payload])
    const envelope = {
      payloadType,
      payload: payload.toString('base64'),
      signatures: [{ sig: sign('sha256', signed, privateKey).toString('base64') }],
    }
    const pem = Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })).toString('base64')
    const spec = { proposedContent: { envelope: JSON.stringify(envelope), verifiers: [pem] } }
    const proposal = { kind: 'dsse', apiVersion: '0.0.1', spec }
    const { statementDigests } = parseProposedEntryV1(serverPrimitives, new Uint8Array(Buffer.from(JSON.stringify(proposal))))
    expect(statementDigests).toEqual([`sha256:${digest}`])
  })
})
