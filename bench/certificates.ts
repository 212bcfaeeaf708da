/**
 * Certificates issued per second through HTTP, each in the certificate transparency log, durable and published, before its answer leaves.
 *
 *   node --conditions=source bench/certificates.ts [--clients 64] [--seconds 10] [--requests 4096]
 *
 * P-256 intermediate under a P-384 root, SQLite and files on this machine's disk, identity tokens under RS256, a key and a token for each request.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { utf8 } from '@countersign/core/bytes'
import { auditMigrations } from '@countersign/server/base/audit/audit-record'
import { databaseAudit } from '@countersign/server/base/audit/database-audit'
import { fileBlobs } from '@countersign/server/base/blobs/file-blobs'
import { plain, serverPrimitives } from '@countersign/server/base/crypto/primitives'
import type { Database } from '@countersign/server/base/database/database'
import { migrate } from '@countersign/server/base/database/migrate'
import { openSqlite } from '@countersign/server/base/database/sqlite'
import { defaultHttpLimits } from '@countersign/server/base/http/app'
import { httpPort } from '@countersign/server/base/http/server'
import type { RoleKey } from '@countersign/server/base/keys/role-key'
import { databaseLeases, leaseMigrations } from '@countersign/server/base/leases/database-leases'
import { createIntermediate, createRoot, type AuthorityWorkshop } from '@countersign/server/ca/authority/create'
import { authorityMigrations, authorityTable } from '@countersign/server/ca/authority/tables'
import { openAuthorities } from '@countersign/server/ca/authority/issuing'
import { fulcioService } from '@countersign/server/ca/fulcio/service'
import { readIssuers } from '@countersign/server/ca/issuers/read-configuration'
import { documentFetcher } from '@countersign/server/ca/tokens/documents'
import { issuerKeys } from '@countersign/server/ca/tokens/issuer-keys'
import { tokenVerifier } from '@countersign/server/ca/tokens/verify-token'
import { ctLog, type CtLog } from '@countersign/server/log/ct/ct-log'
import { ctTreeOptions } from '@countersign/server/log/ct/tree'
import { createTreeLog, openTreeLog } from '@countersign/server/log/engine/open-log'
import { logMigrations } from '@countersign/server/log/engine/tables'
import { memoryKeys } from '@countersign/testkit/memory-keys'
import { httpPost, runLoad } from './load.ts'

const { values } = parseArgs({
  options: {
    serve: { type: 'string' },
    keys: { type: 'string', default: '' },
    clients: { type: 'string', default: '64' },
    seconds: { type: 'string', default: '10' },
    requests: { type: 'string', default: '4096' },
  },
})
const issuer = 'https://issuer.example.com'
const target = 1000

if (values.serve === undefined) await measure()
else await serve(values.serve, values.keys)

async function serve(folder: string, jwks: string): Promise<void> {
  const database = await openSqlite(join(folder, 'database.sqlite'), { create: true })
  await migrate(database, [...leaseMigrations, ...auditMigrations, ...logMigrations, ...authorityMigrations])
  const keys = memoryKeys()
  const random = (length: number): Uint8Array => plain(randomBytes(length))
  const workshop: AuthorityWorkshop = { table: authorityTable(database, Date.now), keys, now: Date.now, random, organization: 'Bench' }
  await createRoot(workshop)
  const { name } = await createIntermediate(workshop, await keys.open('ca-root'))
  await workshop.table.activate(name)
  const now = Date.now
  const issuers = readIssuers({ 'oidc-issuers': { [issuer]: { 'client-id': 'sigstore', type: 'email', jwks } } })
  const service = fulcioService({
    authorities: openAuthorities({ table: workshop.table, keys, now }),
    log: await openLog(folder, database, await keys.create('ct-1', 'ec-p256')),
    audit: databaseAudit(database, now),
    now,
    random,
    issuers,
    verifyToken: tokenVerifier({ issuers, keys: issuerKeys({ fetch: documentFetcher().fetch, now }), primitives: serverPrimitives, now }),
    rate: { burst: 1e9, perMinute: 1e9 },
  })
  const log = { level: 'warn', format: 'json', write: (line: string) => void process.stderr.write(line) } as const
  const port = await httpPort({ listen: { host: '127.0.0.1', port: 0 }, limits: defaultHttpLimits, log, trustedProxies: [] })
  process.send?.(`${await port.open([service])}/fulcio/api/v2/signingCert`)
  process.on('message', () => process.send?.(process.cpuUsage()))
  process.once('disconnect', () => process.exit(0))
}

async function openLog(folder: string, database: Database, key: RoleKey): Promise<CtLog> {
  const blobs = await fileBlobs(folder)
  const options = { name: 'ct-1', origin: 'bench/ct', database, blobs, clock: Date.now, ...ctTreeOptions(key) }
  await createTreeLog(options)
  const tree = await openTreeLog({ ...options, leases: databaseLeases(database, Date.now, 'bench') })
  return ctLog({ tree, key, blobs, now: Date.now })
}

async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
  const provider = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwks = JSON.stringify({ keys: [{ ...provider.publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' }] })
  const child = fork(import.meta.filename, ['--serve', folder, '--keys', jwks], { execArgv: process.execArgv })
  const url = new URL(await new Promise<string>((resolve) => child.once('message', (text) => resolve(text as string))))
  const requests = Array.from({ length: Number(values.requests) }, (_, n) =>
    httpPost(url, 'application/json', wish(provider.privateKey, n)),
  )
  const request = (n: number): Buffer => requests[n % requests.length] as Buffer
  const clients = Number(values.clients)
  const plan = { url, clients, request, accepted: [200] }
  await runLoad({ ...plan, seconds: 3, warmUpSeconds: 0 })
  const before = await cpuMs(child)
  const { perSecond, done, p50Ms, p99Ms } = await runLoad({ ...plan, seconds: Number(values.seconds), warmUpSeconds: 0 })
  const each = ((await cpuMs(child)) - before) / done
  child.disconnect()
  rmSync(folder, { recursive: true, force: true })
  const verdict = perSecond >= target ? 'met' : 'MISSED'
  process.stdout.write(
    `${Math.round(perSecond)} certificates/s (≥ ${target}) ${verdict} at ${clients} clients, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms; ` +
      `${each.toFixed(2)} ms of CPU each\n`,
  )
}

/** CPU time of the server so far: what holds also while others use the machine. */
async function cpuMs(child: ChildProcess): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.CpuUsage>()
  child.once('message', (usage) => resolve(usage as NodeJS.CpuUsage))
  child.send('cpu')
  const { user, system } = await promise
  return (user + system) / 1000
}

/** A request as stock clients send it, with a key, a token and an address of its own. */
function wish(provider: KeyObject, n: number): Uint8Array {
  const email = `user-${n}@example.com`
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const proofOfPossession = sign('sha256', Buffer.from(email), privateKey).toString('base64')
  const content = publicKey.export({ type: 'spki', format: 'pem' })
  return utf8(
    JSON.stringify({
      credentials: { oidcIdentityToken: token(provider, email) },
      publicKeyRequest: { publicKey: { algorithm: 'ECDSA', content }, proofOfPossession },
    }),
  )
}

function token(provider: KeyObject, email: string): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: issuer, aud: 'sigstore', sub: email, email, email_verified: true, iat: now, exp: now + 3600 }
  const signed = `${part({ alg: 'RS256', kid: 'bench', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${sign('sha256', Buffer.from(signed), provider).toString('base64url')}`
}
