/** An installation's trust on SQLite in a temporary folder, with a clock of the test's, keys in memory and instances of every role. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildCertificate } from '@countersign/core/x509/build'
import { intermediateFields, rootFields, timestampFields } from '@countersign/core/x509/build-authority'
import { keyIdentifier } from '@countersign/core/x509/build-extensions'
import { encodeName } from '@countersign/core/x509/build-name'
import { serialBytes, serialNumber } from '@countersign/core/x509/serial'
import { memoryKey, memoryKeys } from '@countersign/testkit/memory-keys'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import type { Database, Migration } from '../../src/base/database/database.ts'
import { migrate } from '../../src/base/database/migrate.ts'
import { openSqlite } from '../../src/base/database/sqlite.ts'
import type { KeyStore, RoleKey } from '../../src/base/keys/role-key.ts'
import { leaseMigrations } from '../../src/base/leases/database-leases.ts'
import type { TrustInstance, InstanceRole } from '../../src/trust/instances.ts'
import { trustMigrations } from '../../src/trust/tables.ts'
import type { OpenedDatabase } from '../base/databases.ts'

export const dayMs: number = 24 * 60 * 60 * 1000
export const noonMs: number = Date.UTC(2026, 5, 1, 12)

/** Where and with what trust lives in a test. */
export type Ground = {
  readonly database: Database
  readonly keys: KeyStore
  nowMs: number
  readonly clock: () => number
  readonly close: () => Promise<void>
}

/** An empty database, SQLite where none is given. */
export async function makeGround(opened?: OpenedDatabase): Promise<Ground> {
  const { database, close } = opened ?? (await openOwn())
  const ground: Ground = { database, keys: memoryKeys(), nowMs: noonMs, clock: () => ground.nowMs, close }
  return ground
}

async function openOwn(): Promise<Pick<OpenedDatabase, 'database' | 'close'>> {
  const folder = mkdtempSync(join(tmpdir(), 'trust-'))
  const database = await openSqlite(join(folder, 'database.sqlite'), { create: true })
  await migrate(database, groundMigrations)
  const close = async (): Promise<void> => {
    await database.close()
    rmSync(folder, { recursive: true })
  }
  return { database, close }
}

/** The tables that trust needs. */
export const groundMigrations: readonly Migration[] = [...leaseMigrations, ...trustMigrations]

const url = 'http://127.0.0.1:8080'
const paths: Readonly<Record<InstanceRole, string>> = {
  ca: '/fulcio',
  ct: '/ct',
  rekor1: '/rekor',
  rekor2: '/rekor2',
  tsa: '/tsa/api/v1/timestamp',
  oidc: '/oidc',
}

/** An instance of a role with fresh keys, from `start` on. */
export async function makeInstance(role: InstanceRole, number = 1, start: number = noonMs): Promise<TrustInstance> {
  const anchor =
    role === 'oidc'
      ? ({ kind: 'none' } as const)
      : role === 'ca' || role === 'tsa'
        ? ({ kind: 'chain', certificates: await makeChain(role, start) } as const)
        : ({ kind: 'key', publicKey: memoryKey('log', role === 'rekor2' ? 'ed25519' : 'ec-p256').publicKey } as const)
  return { id: `${role}-${number}`, role, url: `${url}${paths[role]}`, operator: '127.0.0.1', anchor, validFor: { start } }
}

/** One of each. */
export async function makeInstances(): Promise<readonly TrustInstance[]> {
  return Promise.all((['ca', 'ct', 'rekor1', 'rekor2', 'tsa', 'oidc'] as const).map((role) => makeInstance(role)))
}

async function makeChain(role: 'ca' | 'tsa', startMs: number): Promise<readonly Uint8Array[]> {
  const [rootKey, key] = [memoryKey('root', 'ec-p384'), memoryKey('leaf')]
  const wish = (subject: string, { publicKey }: RoleKey, years: number) => ({
    serial: serialNumber(randomBytes(serialBytes)),
    subject: encodeName({ organization: 'Test', commonName: subject }),
    key: publicKey,
    notBeforeMs: startMs,
    notAfterMs: startMs + years * 365 * dayMs,
  })
  const wanted = wish(`Test ${role} root`, rootKey, 10)
  const root = await buildCertificate(await rootFields(serverPrimitives, wanted), rootKey)
  const issuer = { name: wanted.subject, keyId: await keyIdentifier(serverPrimitives, rootKey.publicKey) }
  const below = wish(`Test ${role}`, key, 3)
  const fields =
    role === 'ca' ? await intermediateFields(serverPrimitives, below, issuer) : await timestampFields(serverPrimitives, below, issuer)
  return [await buildCertificate(fields, rootKey), root]
}
