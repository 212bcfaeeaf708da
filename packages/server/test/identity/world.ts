/** An identity service on a loopback port, over real storage in a temporary folder. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Audit, AuditEvent } from '@countersign/server/base/audit/audit'
import type { Database } from '@countersign/server/base/database/database'
import { migrate } from '@countersign/server/base/database/migrate'
import { openSqlite } from '@countersign/server/base/database/sqlite'
import { fileKeyStore, type FileKeys } from '@countersign/server/base/keys/key-files'
import { createVault } from '@countersign/server/base/keys/vault'
import { freePort } from '@countersign/server/base/http/free-port'
import { defaultHttpLimits } from '@countersign/server/base/http/app'
import { httpPort } from '@countersign/server/base/http/server'
import { accountMigrations } from '@countersign/server/identity/accounts/tables'
import type { AccountPorts } from '@countersign/server/identity/accounts/accounts'
import type { Upstream } from '@countersign/server/identity/provider/upstream'
import { identityService } from '@countersign/server/identity/service'

/** Storage without a service. */
export type IdentityStore = AccountPorts &
  FileKeys & { readonly database: Database; readonly events: AuditEvent[]; readonly advance: (ms: number) => void }

/** Opens storage; it is gone after the test. */
export async function identityStore(): Promise<IdentityStore> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-identity-'))
  const database = await openSqlite(join(folder, 'database.sqlite'), { create: true })
  await migrate(database, accountMigrations)
  const passphrase = new TextEncoder().encode('a passphrase of the test')
  await createVault(join(folder, 'keys'), passphrase)
  const files = await fileKeyStore(join(folder, 'keys'), passphrase)
  const events: AuditEvent[] = []
  const audit: Audit = { record: async (event) => `record-${events.push(event)}` }
  let offset = 0
  onTestFinished(async () => {
    await database.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { database, audit, events, ...files, clock: () => Date.now() + offset, advance: (ms) => void (offset += ms) }
}

/** A store and the service over it. */
export type IdentityWorld = IdentityStore & { readonly issuer: string; readonly lines: readonly string[] }

/** Starts the service; it ends with the test. */
export async function identityWorld(upstreams: readonly Upstream[] = []): Promise<IdentityWorld> {
  const store = await identityStore()
  await store.keys.create('oidc-1', 'rsa-2048')
  const port = await freePort('127.0.0.1')
  const issuer = `http://127.0.0.1:${port}/oidc`
  const service = await identityService({ ...store, keyNames: async () => ['oidc-1'], issuer, prefix: '/oidc', upstreams })
  const lines: string[] = []
  const http = await httpPort({
    listen: { host: '127.0.0.1', port },
    limits: defaultHttpLimits,
    log: { level: 'info', format: 'json', write: (line) => lines.push(line) },
    trustedProxies: [],
    hosts: ['evil.example'],
  })
  await http.open([service])
  onTestFinished(async () => void (await http.drain(1000)))
  return { ...store, issuer, lines }
}
