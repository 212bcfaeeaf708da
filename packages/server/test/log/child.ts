/** A process that keeps a log and adds entries until it is killed: told `folder [postgres URL] [step [count]]` by its environment. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bytesToBase64 } from '@countersign/core/base64'
import { fileBlobs } from '../../src/base/blobs/file-blobs.ts'
import { openPostgres } from '../../src/base/database/postgres.ts'
import { openSqlite } from '../../src/base/database/sqlite.ts'
import { databaseLeases } from '../../src/base/leases/database-leases.ts'
import { soleLeases } from '../../src/base/leases/sole-leases.ts'
import { openTreeLog } from '../../src/log/engine/open-log.ts'
import { entryOf, newLogKey, newLogPlace } from './logs.ts'

const { LOG_FOLDER: folder = '', LOG_POSTGRES: url, LOG_STEP: fatal, LOG_PASSES: passes = '1', LOG_ROUND: round = '' } = process.env
const privateKey = createPrivateKey(readFileSync(join(folder, 'key.pem')))
const database = url === undefined ? await openSqlite(join(folder, 'database.sqlite')) : await openPostgres({ url })
const place = await newLogPlace({
  folder,
  database,
  blobs: await fileBlobs(folder),
  key: await newLogKey(privateKey, createPublicKey(privateKey)),
})
let left = Number(passes)
const log = await openTreeLog(
  place.options({
    leases: url === undefined ? soleLeases(Date.now) : databaseLeases(database, Date.now, `child-${process.pid}`),
    step: (step) => {
      if (step === fatal && --left === 0) process.kill(process.pid, 'SIGKILL')
    },
  }),
)
let count = 0
async function client(): Promise<void> {
  for (;;) {
    const text = `${round}/${process.pid}/${count++}`
    const { index, checkpoint } = await log.add(entryOf(text))
    // One write: what the parent has read was acknowledged.
    process.stdout.write(`${JSON.stringify({ text, index, size: checkpoint.size, root: bytesToBase64(checkpoint.rootHash) })}\n`)
  }
}
await Promise.all(Array.from({ length: 16 }, client))
