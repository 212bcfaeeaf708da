/** A Rekor v2 log of ours alone on loopback, in a folder that exists: what the bench and the fault rounds start and kill. Prints its URL. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultAlgorithm } from '@countersign/core/keys/algorithm'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { fileBlobs } from '@countersign/server/base/blobs/file-blobs'
import { migrate } from '@countersign/server/base/database/migrate'
import { openSqlite } from '@countersign/server/base/database/sqlite'
import { defaultHttpLimits } from '@countersign/server/base/http/app'
import { httpPort } from '@countersign/server/base/http/server'
import type { RoleKey } from '@countersign/server/base/keys/role-key'
import { databaseLeases, leaseMigrations } from '@countersign/server/base/leases/database-leases'
import { createTreeLog, openTreeLog } from '@countersign/server/log/engine/open-log'
import { logMigrations } from '@countersign/server/log/engine/tables'
import { admitAnyone } from '@countersign/server/log/admission'
import { rekor2Service } from '@countersign/server/log/rekor2/service'
import { rekor2LogId, rekor2TreeOptions } from '@countersign/server/log/rekor2/tree'
import { digestVerifier } from '@countersign/server/log/verify/verifier'

const [folder = '.', port = '0'] = process.argv.slice(2)
const keyFile = join(folder, 'bench-key.pem')
const databaseFile = join(folder, 'database.sqlite')
const first = !existsSync(keyFile)
const database = await openSqlite(databaseFile, { create: first })
await migrate(database, [...leaseMigrations, ...logMigrations])
const key = readKey()
const options = {
  name: 'rekor2-1',
  ...(await rekor2TreeOptions(key, 'localhost')),
  database,
  blobs: await fileBlobs(folder),
  leases: databaseLeases(database, Date.now, `bench-${process.pid}`),
  clock: Date.now,
  failed: (failure: unknown) => process.stderr.write(`${String(failure)}\n`),
}
if (first) await createTreeLog(options)
const log = await openTreeLog(options)
const logId = await rekor2LogId(key, options.origin)
const verifier = digestVerifier()
const http = await httpPort({
  listen: { host: '127.0.0.1', port: Number(port) },
  limits: defaultHttpLimits,
  log: { level: 'error', format: 'json', write: (line) => process.stderr.write(line) },
  trustedProxies: [],
})
const address = await http.open([rekor2Service({ shard: () => ({ log, logId }), verifier, admit: admitAnyone })])
process.stdout.write(`${address}/rekor2\n`)
process.on('SIGTERM', () => {
  void (async () => {
    await http.drain(5_000)
    await log.close()
    await verifier.close()
    await database.close()
  })()
})

function readKey(): RoleKey {
  if (first) writeFileSync(keyFile, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const privateKey = createPrivateKey(readFileSync(keyFile))
  const publicKey = parsePublicKey(new Uint8Array(createPublicKey(privateKey).export({ type: 'spki', format: 'der' })))
  return {
    name: 'rekor2-1',
    publicKey,
    algorithm: defaultAlgorithm(publicKey),
    sign: (message) => new Uint8Array(sign(null, message, privateKey)),
  }
}
