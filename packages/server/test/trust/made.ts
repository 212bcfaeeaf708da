/** An installation's trust on SQLite in a temporary folder, with a clock of the test's, keys in memory and instances of every role. */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { defaultAlgorithm } from '@countersign/core/keys/algorithm'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { buildCertificate } from '@countersign/core/x509/build'
import { intermediateFields, rootFields, timestampFields } from '@countersign/core/x509/build-authority'
import { keyIdentifier } from '@countersign/core/x509/build-extensions'
import { encodeName } from '@countersign/core/x509/build-name'
import { plain, serverPrimitives, signMessage } from '../../src/base/crypto/primitives.ts'
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

/** A key in memory. */
export function memoryKey(name: string, type: 'P-256' | 'P-384' | 'ed25519' = 'P-256'): RoleKey {
  const made = type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: type })
  const privateKey: KeyObject = made.privateKey
  const publicKey = parsePublicKey(plain(createPublicKey(privateKey).export({ format: 'der', type: 'spki' })))
  const algorithm = defaultAlgorithm(publicKey)
  return { name, publicKey, algorithm, sign: (message) => signMessage(algorithm, privateKey, message) }
}

/** Keys in memory; `remove` takes one away, as when it goes offline. */
function memoryKeys(): KeyStore {
  const keys = new Map<string, RoleKey>()
  return {
    create: async (name) => {
      if (keys.has(name)) throw new CountersignError('key_exists', name)
      const key = memoryKey(name)
      keys.set(name, key)
      return key
    },
    open: async (name) => {
      const key = keys.get(name)
      if (key === undefined) throw new CountersignError('key_missing', name)
      return key
    },
    names: async () => [...keys.keys()],
    exportPrivateKey: async () => Promise.reject(new CountersignError('key_not_exportable', 'in memory')),
    remove: async (name) => void keys.delete(name),
  }
}

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
        : ({ kind: 'key', publicKey: memoryKey('log', role === 'rekor2' ? 'ed25519' : 'P-256').publicKey } as const)
  return { id: `${role}-${number}`, role, url: `${url}${paths[role]}`, operator: '127.0.0.1', anchor, validFor: { start } }
}

/** One of each. */
export async function makeInstances(): Promise<readonly TrustInstance[]> {
  return Promise.all((['ca', 'ct', 'rekor1', 'rekor2', 'tsa', 'oidc'] as const).map((role) => makeInstance(role)))
}

async function makeChain(role: 'ca' | 'tsa', startMs: number): Promise<readonly Uint8Array[]> {
  const [rootKey, key] = [memoryKey('root', 'P-384'), memoryKey('leaf')]
  const wish = (subject: string, { publicKey }: RoleKey, years: number) => ({
    serial: serial(),
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

function serial(): Uint8Array {
  const bytes = new Uint8Array(randomBytes(20))
  bytes[0] = 0x40
  return bytes
}
