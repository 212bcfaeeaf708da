/** The certificate authority whole, for tests: root, intermediate, certificate transparency log on the real engine, HTTP on loopback. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { JsonValue } from '@countersign/core/json/parse'
import { memoryKeys } from '@countersign/testkit/memory-keys'
import { auditMigrations } from '../../src/base/audit/audit-record.ts'
import { databaseAudit } from '../../src/base/audit/database-audit.ts'
import { fileBlobs } from '../../src/base/blobs/file-blobs.ts'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import type { Database } from '../../src/base/database/database.ts'
import { migrate } from '../../src/base/database/migrate.ts'
import { openSqlite } from '../../src/base/database/sqlite.ts'
import { createApp, defaultHttpLimits, mountServices } from '../../src/base/http/app.ts'
import type { KeyStore, RoleKey } from '../../src/base/keys/role-key.ts'
import { databaseLeases, leaseMigrations } from '../../src/base/leases/database-leases.ts'
import { createIntermediate, createRoot, type AuthorityWorkshop } from '../../src/ca/authority/create.ts'
import { authorityMigrations, authorityTable } from '../../src/ca/authority/tables.ts'
import type { IssuanceRate } from '../../src/ca/fulcio/rate-limit.ts'
import type { CertificateLog } from '../../src/ca/ports.ts'
import { openAuthorities, type Authorities } from '../../src/ca/authority/issuing.ts'
import { fulcioService } from '../../src/ca/fulcio/service.ts'
import { readIssuers } from '../../src/ca/issuers/read-configuration.ts'
import { documentFetcher } from '../../src/ca/tokens/documents.ts'
import { issuerKeys } from '../../src/ca/tokens/issuer-keys.ts'
import { tokenVerifier } from '../../src/ca/tokens/verify-token.ts'
import { ctLog, type CtLog } from '../../src/log/ct/ct-log.ts'
import { ctService } from '../../src/log/ct/service.ts'
import { ctTreeOptions } from '../../src/log/ct/tree.ts'
import { createTreeLog, openTreeLog, type OpenTreeLog } from '../../src/log/engine/open-log.ts'
import { logMigrations } from '../../src/log/engine/tables.ts'

export const ctOriginName = 'ca.example/ct'

/** The platform. */
export type CaPlatform = {
  readonly url: string
  readonly database: Database
  readonly keys: KeyStore
  readonly workshop: AuthorityWorkshop
  readonly authorities: Authorities
  readonly ct: { readonly tree: OpenTreeLog; readonly log: CtLog; readonly key: RoleKey }
  readonly logLines: string[]
  readonly close: () => Promise<void>
}

/** What a test decides. */
export type CaWishes = {
  readonly issuers: JsonValue
  readonly now?: () => number
  readonly rate?: IssuanceRate
  /** In place of the log; for what happens when it fails. */
  readonly log?: (log: CertificateLog) => CertificateLog
}

/** Starts everything. */
export async function startCa(wishes: CaWishes): Promise<CaPlatform> {
  const now = wishes.now ?? Date.now
  const folder = await mkdtemp(path.join(tmpdir(), 'countersign-ca-'))
  const database = await openSqlite(path.join(folder, 'database.sqlite'), { create: true })
  await migrate(database, [...leaseMigrations, ...auditMigrations, ...logMigrations, ...authorityMigrations])
  const blobs = await fileBlobs(folder)
  const keys = memoryKeys()
  const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length))
  const workshop: AuthorityWorkshop = { table: authorityTable(database, now), keys, now, random, organization: 'Example' }
  await createRoot(workshop)
  const { name } = await createIntermediate(workshop, await keys.open('ca-root'))
  await workshop.table.activate(name)
  const key = await keys.create('ct-1', 'ec-p256')
  const tree = { name: 'ct-1', origin: ctOriginName, database, clock: now, ...ctTreeOptions(key) }
  await createTreeLog(tree)
  const leases = databaseLeases(database, now, 'test')
  const open = await openTreeLog({ ...tree, blobs, leases })
  const log = ctLog({ tree: open, key, blobs, now })
  const authorities = openAuthorities({ table: workshop.table, keys, now })
  const issuers = readIssuers(wishes.issuers)
  const documents = documentFetcher()
  const verifyToken = tokenVerifier({ issuers, keys: issuerKeys({ fetch: documents.fetch, now }), primitives: serverPrimitives, now })
  const fulcio = fulcioService({
    authorities,
    log: wishes.log?.(log) ?? log,
    audit: databaseAudit(database, now),
    now,
    random,
    issuers,
    verifyToken,
    ...(wishes.rate === undefined ? {} : { rate: wishes.rate }),
  })
  const logLines: string[] = []
  const app = createApp({
    limits: defaultHttpLimits,
    log: { level: 'info', format: 'json', write: (line) => void logLines.push(line) },
    trustedProxies: [],
  })
  const services = [fulcio, ctService({ tree: open, log, roots: async () => [] })]
  await mountServices(app, services, () => false)
  const url = await app.fastify.listen({ host: '127.0.0.1', port: 0 })
  return {
    url,
    database,
    keys,
    workshop,
    authorities,
    ct: { tree: open, log, key },
    logLines,
    close: async () => {
      await app.fastify.close()
      await documents.close()
      await open.close()
      await database.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
